package glusterlab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a lab waits for Gluster to do what it was asked.
const Patience = 3 * time.Minute

// Options say how a lab is made. The zero value is good.
type Options struct {
	// Base is the directory the lab's own directory is made in, on a file
	// system with trusted.* attributes; "" is os.TempDir(). Unix sockets
	// allow it some 60 bytes.
	Base string
}

// Lab is one running glusterd with all that belongs to it.
type Lab struct {
	dir     string
	address string
	claim   net.Listener
	mu      sync.Mutex
	mounts  int             // numbers the mount directories
	sockets map[string]bool // what bricks made outside the lab, already noted
}

// New starts a lab that ends with the test.
func New(t testing.TB, o Options) *Lab {
	t.Helper()
	l, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.complaints())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Start starts a lab; the caller closes it. It first clears away the labs in
// the same base whose owners are dead.
func Start(o Options) (*Lab, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	if o.Base == "" {
		o.Base = os.TempDir()
	}
	if len(o.Base) > 60 || strings.ContainsAny(o.Base, " \t\n\\,:") {
		return nil, fmt.Errorf("start Gluster lab: directory %q is too long for a unix socket or has odd characters", o.Base)
	}
	if err := Reap(o.Base); err != nil {
		return nil, err
	}
	l, err := takeAddress(o.Base)
	if err != nil {
		return nil, err
	}
	err = l.layOut()
	if err == nil {
		err = l.startGlusterd()
	}
	if err != nil {
		return nil, errors.Join(err, errors.New(l.complaints()), l.Close())
	}
	return l, nil
}

// Server is the host name of the lab's Gluster, a numeric loopback address.
func (l *Lab) Server() string { return l.address }

// Dir is the lab's directory. It is gone after Close.
func (l *Lab) Dir() string { return l.dir }

// Close unmounts what is mounted in the lab, ends its processes and removes
// its directory. It may be called again after an error.
func (l *Lab) Close() error {
	if err := clearAway(l.dir); err != nil {
		return fmt.Errorf("close Gluster lab: %w", err)
	}
	l.claim.Close()
	return nil
}

func (l *Lab) path(elem ...string) string {
	return filepath.Join(append([]string{l.dir}, elem...)...)
}

func (l *Lab) layOut() error {
	for _, d := range []string{"wd", "run", "log", "brick", "mnt", "python"} {
		if err := os.MkdirAll(l.path(d), 0o755); err != nil {
			return fmt.Errorf("lay out Gluster lab: %w", err)
		}
	}
	return nil
}

// complaints are the errors in the lab's logs, for a test's reader.
func (l *Lab) complaints() string {
	var b strings.Builder
	logs, _ := filepath.Glob(l.path("log", "*.log"))
	bricks, _ := filepath.Glob(l.path("log", "bricks", "*.log"))
	for _, name := range append(logs, bricks...) {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var last []string
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "] E [") {
				last = append(last, line)
			}
		}
		fmt.Fprintf(&b, "%s:\n%s", filepath.Base(name), strings.Join(last[max(0, len(last)-5):], ""))
	}
	return b.String()
}

// ready tells what the machine lacks.
func ready() error {
	if os.Geteuid() != 0 {
		return errors.New("start Gluster lab: this needs root: mounts and trusted.* attributes do")
	}
	for _, name := range []string{"glusterd", "gluster", "glusterfs", "glusterfsd"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("start Gluster lab: %w: install glusterfs-server and glusterfs-client", err)
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return fmt.Errorf("start Gluster lab: %w: load the kernel module fuse, or give the container the device", err)
	}
	return nil
}
