package glusterlab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// glusterdVolume is glusterd's own settings: all in the lab, and no listener
// off the lab's address; bricks inherit that.
const glusterdVolume = `volume management
    type mgmt/glusterd
    option working-directory %[1]s/wd
    option run-directory %[1]s/run
    option logging-directory %[1]s/log
    option glusterd-sockfile %[1]s/run/glusterd.socket
    option transport-type socket
    option transport.address-family inet
    option transport.socket.bind-address %[2]s
    option transport.socket.listen-port %[3]s
    option transport.socket.read-fail-log off
    option ping-timeout 0
    option event-threads 1
    option max-port 60999
end-volume
`

// StopGlusterd ends the lab's glusterd at once. Bricks and mounts go on.
func (l *Lab) StopGlusterd(t testing.TB) {
	t.Helper()
	err := end(l.dir, func(p process) bool { return filepath.Base(p.args[0]) == "glusterd" })
	if err != nil {
		t.Fatal(err)
	}
}

// StartGlusterd starts the lab's glusterd again and waits till it answers. It
// also starts the bricks that are down.
func (l *Lab) StartGlusterd(t testing.TB) {
	t.Helper()
	if err := l.startGlusterd(); err != nil {
		t.Fatal(err)
	}
}

func (l *Lab) startGlusterd() error {
	settings := l.path("glusterd.vol")
	text := fmt.Sprintf(glusterdVolume, l.dir, l.address, management)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write glusterd's settings: %w", err)
	}
	// At its start glusterd sets up geo-replication with a dozen Python programs,
	// which take most of that time. Here each says what it is and ends at once.
	quit := []byte("import os\nos.write(1, b'gsyncd.py 10\\n')\nos._exit(0)\n")
	if err := os.WriteFile(l.path("python", "sitecustomize.py"), quit, 0o600); err != nil {
		return fmt.Errorf("write glusterd's settings: %w", err)
	}
	if _, err := run("env", "PYTHONPATH="+l.path("python"), "glusterd", "-f", settings, "-p", l.path("run", "glusterd.pid"), "-l", l.path("log", "glusterd.log")); err != nil {
		return err
	}
	// The command line retries after three seconds only: it must not come early.
	err := await("glusterd listens", func() error {
		c, err := net.Dial("unix", l.path("run", "glusterd.socket"))
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		return err
	}
	return await("glusterd answers", func() error {
		_, err := l.gluster("volume", "list")
		return err
	})
}

// gluster runs Gluster's command line.
func (l *Lab) gluster(args ...string) (string, error) {
	own := []string{"--mode=script", "--glusterd-sock=" + l.path("run", "glusterd.socket"), "--log-file=" + l.path("log", "cli.log")}
	return run("gluster", append(own, args...)...)
}

// run runs a program, and gives what it wrote to its standard output.
func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/" // a daemon must not hold the test's directory
	// A file, as a daemon would hold a pipe open for ever.
	out, err := os.CreateTemp("", prefix+"out-")
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	defer out.Close()
	if err := os.Remove(out.Name()); err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	failed := cmd.Run()
	var said bytes.Buffer
	if _, err := out.Seek(0, 0); err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	if _, err := said.ReadFrom(out); err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	if failed != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), failed, strings.TrimSpace(said.String()))
	}
	return said.String(), nil
}
