package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// localGluster makes the lab the Gluster of this machine, which is what a volume
// without a host means. A client asks there for the volume and is then told where
// its bricks are.
func localGluster(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:24007")
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: the short form of a local volume: this machine has a Gluster of its own: %v", err)
	}
	relayFrom(t, l, net.JoinHostPort(labFor(t).Server(), "24007"), 0)
}

// TestGlusterMirrors runs the four mirrors of classic gsyncd, and one from a
// directory: declared in one file, and then each on the command line.
func TestGlusterMirrors(t *testing.T) {
	t.Parallel()
	labFor(t)
	localGluster(t)
	pop, yow, moz := newVol(t, "pop", glusterlab.One, true), newVol(t, "yow", glusterlab.One, false), newVol(t, "moz", glusterlab.One, false)
	back := newVol(t, "back", glusterlab.One, false)
	pl := newGlusterPlace(t, pop, yow)
	s := newSSHD(t, pl)
	oddTree(t, pop.dir)
	data, farData := filepath.Join(pl.dir, "mirror"), filepath.Join(pl.dir, "far_mirror")
	mirrors := []struct{ primary, secondary, method, p, s string }{
		{":pop", data, "rsync", pop.dir, data},
		{":pop", ":yow", "rsync", pop.dir, yow.dir},
		{":pop", "far:" + farData, "rsync", pop.dir, farData},
		{":pop", "far::moz", "stream", pop.dir, moz.dir},
	}
	text := fmt.Sprintf("host {\n  state_dir = %q\n}\n", pl.state)
	for i, m := range mirrors {
		text += fmt.Sprintf("mirror \"m%d\" {\n  primary = %q\n  secondary = %q\n  transfer %q {}\n}\n", i, m.primary, m.secondary, m.method)
	}
	config := filepath.Join(pl.dir, "four.hcl")
	check(t, os.WriteFile(config, []byte(text), 0o644))
	compare := func() {
		t.Helper()
		for _, m := range mirrors {
			sameTrees(t, m.p, m.s)
			left, err := leftovers(m.s)
			check(t, err)
			if len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		}
		s.gone()
		for _, v := range []*vol{pop, yow, moz, back} {
			v.unmounted(t)
		}
	}
	began := time.Now()
	h := start(t, pl.command("run", "--once", "-c", config), nil)
	h.end(time.Minute, 0)
	t.Logf("four mirrors at once: %v\n%s", time.Since(began), h.stdout.String())
	compare()

	changeTree(t, pop.dir)
	for _, m := range mirrors {
		began := time.Now()
		h := pl.run(t, 0, m.primary, m.secondary)
		t.Logf("%s to %s: %v\n%s", m.primary, m.secondary, time.Since(began), h.stdout.String())
	}
	compare()
}
