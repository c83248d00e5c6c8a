package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

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

// TestGlusterMirrors runs the four mirrors of classic gsyncd: declared in one file,
// and then each on the command line.
func TestGlusterMirrors(t *testing.T) {
	t.Parallel()
	labFor(t)
	localGluster(t)
	pop, yow, moz := newVol(t, "pop", glusterlab.One, true), newVol(t, "yow", glusterlab.One, false), newVol(t, "moz", glusterlab.One, false)
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
		for _, v := range []*vol{pop, yow, moz} {
			v.unmounted(t)
		}
	}
	h := start(t, pl.command("run", "--once", "-c", config), nil)
	h.end(patience, 0)
	compare()

	changeTree(t, pop.dir)
	for _, m := range mirrors {
		pl.once(t, m.primary, m.secondary)
	}
	compare()

	check(t, os.Mkdir(filepath.Join(pop.dir, "lists"), 0o755))
	check(t, unix.Setxattr(filepath.Join(pop.dir, "lists"), "system.posix_acl_default", acl(), 0))
	pl.once(t, ":pop", data)
	sameTrees(t, pop.dir, data)
}

// TestGlusterFromDirectory mirrors a directory to a volume.
func TestGlusterFromDirectory(t *testing.T) {
	t.Parallel()
	s := newVol(t, "from-directory", glusterlab.Dist2, false)
	pl := newGlusterPlace(t, nil, s)
	oddTree(t, pl.p)
	pl.once(t, pl.p, s.short())
	sameTrees(t, pl.p, pl.s)
	changeTree(t, pl.p)
	pl.once(t, pl.p, s.URL())
	sameTrees(t, pl.p, pl.s)

	// What an auxiliary mount would say yes to and drop.
	rare := filepath.Join(pl.p, "rare")
	check(t, errors.Join(os.Mkdir(rare, 0o755), os.WriteFile(filepath.Join(rare, "f"), []byte("f"), 0o644)))
	check(t, unix.Setxattr(rare, "system.posix_acl_default", acl(), 0))
	check(t, unix.Setxattr(filepath.Join(rare, "f"), "trusted.mine", []byte("x"), 0))
	h := pl.run(t, 0, pl.p, s.short())
	sameTrees(t, pl.p, pl.s)
	if h.said("cannot be kept") > 0 {
		t.Error("something is said to be lost")
	}
	// What a new file gets from its directory on the secondary is taken from it again.
	later := filepath.Join(rare, "later")
	check(t, os.WriteFile(later, []byte("later"), 0o644))
	check(t, errors.Join(unix.Removexattr(later, "system.posix_acl_access"), os.Chmod(later, 0o644)))
	pl.once(t, pl.p, s.short())
	sameTrees(t, pl.p, pl.s)
	pl.clean(t)
	s.unmounted(t)
}
