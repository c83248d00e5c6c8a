package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterBadInput: each thing that is wrong has one message, which names the
// cure, and nothing is made.
func TestGlusterBadInput(t *testing.T) {
	t.Parallel()
	server := labFor(t).Server()
	plain, stopped := newVol(t, "plain", glusterlab.One, false), newVol(t, "stopped", glusterlab.One, true)
	stopped.Stop(t)
	part := newVol(t, "part", glusterlab.Dist2, true)
	part.KillBrick(t, 1)
	for _, c := range []struct {
		name, primary string
		secondary     string // a new directory, if empty
		code          int
		want          string
		change        func(*place, *testing.T, *exec.Cmd)
	}{
		{name: "no such volume", primary: server + ":nosuch", code: 1, want: "there is no volume nosuch on " + server},
		{name: "stopped", primary: stopped.short(), code: 1, want: "gluster volume start stopped"},
		{name: "stopped secondary", secondary: stopped.short(), code: 1, want: "gluster volume start stopped"},
		{name: "no glusterd", primary: "127.93.0.255:plain", code: 1, want: "glusterd does not answer on 127.93.0.255 (port 24007): start it there"},
		{name: "unknown host", primary: "no.such.host.invalid:plain", code: 1, want: "no.such.host.invalid"},
		{name: "not indexed", primary: plain.short(), code: 1, want: "gluster volume set plain geo-replication.indexing on"},
		{name: "a part is down", primary: part.short(), code: 1, want: "a part of the volume is not there"},
		{name: "a part of the secondary is down", secondary: part.short(), code: 1, want: "a part of the volume is not there"},
		{name: "no program", primary: plain.short(), code: 2, want: "install Gluster's client", change: func(pl *place, t *testing.T, cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, "PATH="+pl.bin())
		}},
		{name: "not root", primary: plain.short(), code: 2, want: "by root only", change: func(pl *place, t *testing.T, cmd *exec.Cmd) {
			for _, d := range []string{pl.dir, pl.p, pl.tmp} {
				check(t, os.Chown(d, nobody, nobody))
			}
			pl.asNobody(t, cmd)
		}},
		{name: "no fuse", primary: plain.short(), code: 2, want: "modprobe fuse", change: func(pl *place, t *testing.T, cmd *exec.Cmd) {
			// In its own view of the machine /dev has the least.
			script := "mount -t tmpfs dev /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && exec \"$0\" \"$@\""
			cmd.Args = append([]string{"sh", "-c", script, programName}, cmd.Args[1:]...)
			pl.viaShell(t, cmd)
			cmd.Args = append([]string{"unshare", "-m", cmd.Path}, cmd.Args[1:]...)
			var err error
			cmd.Path, err = exec.LookPath("unshare")
			check(t, err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl := newGlusterPlace(t, nil, nil)
			pl.write(t, "f", []byte("f"))
			primary, secondary := c.primary, c.secondary
			if primary == "" {
				primary = pl.p
			}
			if secondary == "" {
				secondary = pl.s
			}
			config := pl.glusterConfig(t, primary, secondary, "retry { attempts = 1 }")
			verbs := []string{"run"}
			if c.code == 2 {
				verbs = append(verbs, "validate")
			}
			for _, verb := range verbs {
				args := []string{verb, "-c", config}
				if verb == "run" {
					args = append(args, "--once")
				}
				cmd := pl.command(args...)
				if c.change != nil {
					c.change(pl, t, cmd)
				}
				h := start(t, cmd, nil)
				h.end(patience, c.code)
				said := h.stdout.String() + h.stderr.String()
				if !strings.Contains(strings.ToLower(said), strings.ToLower(c.want)) || strings.Count(said, "glusterfs says") > 0 {
					t.Errorf("%s: not said: %s", verb, c.want)
				}
				check(t, removeLink(pl))
			}
			if made, err := os.ReadDir(pl.s); len(made) > 0 || err == nil && c.code == 2 {
				t.Errorf("the secondary was made, with %d entries", len(made))
			}
			pl.noProcess(t)
		})
	}
	for _, v := range []*vol{plain, stopped, part} {
		v.unmounted(t)
	}
	part.RestartBrick(t, 1)
	stopped.Start(t)
}

// removeLink lets viaShell work once more.
func removeLink(pl *place) error {
	if err := os.Remove(filepath.Join(pl.bin(), programName)); !os.IsNotExist(err) {
		return err
	}
	return nil
}
