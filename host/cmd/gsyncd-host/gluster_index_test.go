package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterIndexEnabled has a mirror turn the primary's index on, and write to a
// volume that is read-only for all others.
func TestGlusterIndexEnabled(t *testing.T) {
	t.Parallel()
	p, s := newVol(t, "not-indexed", glusterlab.One, false), newVol(t, "read-only", glusterlab.One, false)
	pl := newGlusterPlace(t, p, s)
	pl.write(t, "d/f", []byte("there before"))
	s.Set(t, "features.read-only", "on")
	poll(t, "the volume is read-only", func() bool {
		return errors.Is(os.Chmod(s.dir, 0o755), unix.EROFS)
	})
	socket := filepath.Join(labFor(t).Dir(), "run", "glusterd.socket")
	config := pl.glusterConfig(t, p.URL(), s.URL(), fmt.Sprintf(
		"driver \"gluster\" {\n index = \"enable\"\n cli = [\"gluster\", \"--glusterd-sock=%s\", \"--log-file=/dev/null\"]\n}", socket))
	pl.once(t, "-c", config)
	sameDescribed(t, pl)

	// An attribute that is set alone is nothing that Gluster shows a change of.
	check(t, unix.Setxattr(filepath.Join(pl.p, "d/f"), "user.a", []byte("1"), 0))
	pl.once(t, "--full", "-c", config)
	sameDescribed(t, pl)
	pl.clean(t)
	p.unmounted(t)
	s.unmounted(t)
}

func sameDescribed(t *testing.T, pl *place) {
	t.Helper()
	if !pl.inSync(t) {
		a, _ := describe(pl.p)
		b, _ := describe(pl.s)
		t.Errorf("the trees differ:\n%s\n\n%s", a, b)
	}
}
