package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// quick has a mirror try again, and look, at once.
const quick = "retry {\n min = \"100ms\"\n max = \"500ms\"\n}\n schedule { interval = \"100ms\" }\n"

// TestGlusterComesBack: a running mirror outlives all that can happen to a
// volume, says what it is, and goes on by itself. Nothing is deleted meanwhile.
func TestGlusterComesBack(t *testing.T) {
	t.Parallel()
	needGluster(t)
	lab := glusterlab.New(t, glusterlab.Options{}) // whose glusterd can be ended
	p := &vol{Volume: lab.Volume(t, "back", glusterlab.Dist2)}
	pl := newGlusterPlace(t, nil, nil)
	url := lab.Server() + ":back"
	h := pl.start(t, "-c", pl.glusterConfig(t, url, pl.s, quick))
	heard := 0 // of what it says, up to the last state that arrived
	arrives := func(what string) {
		t.Helper()
		pl.arrives(t, h, what)
		heard = len(h.stderr.String())
	}
	says := func(what string) {
		t.Helper()
		h.until("it says "+what, func() bool { return strings.Contains(h.stderr.String()[heard:], what) })
	}
	says("gluster volume set back geo-replication.indexing on")
	p.Index(t, true)
	p.dir = p.MountWith(t, "--acl", "--attribute-timeout=0", "--entry-timeout=0", "--xlator-option=*-md-cache.md-cache-timeout=0")
	pl.p = p.dir
	write := func(name string) {
		t.Helper()
		for i := range 8 { // so that each brick has some
			path := filepath.Join(pl.p, "d", name+strconv.Itoa(i))
			poll(t, "the test's own mount works again", func() bool {
				return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)) == nil
			})
		}
	}
	write("first")
	arrives("what was there when the index was turned on")
	held := func() {
		t.Helper()
		for i := range 8 {
			_, err := os.Stat(filepath.Join(pl.s, "d", "first"+strconv.Itoa(i)))
			check(t, err)
		}
	}

	p.KillBrick(t, 1)
	says("a part of the volume is not there")
	held()
	p.RestartBrick(t, 1)
	write("after one brick")
	arrives("a change after one brick was gone")

	p.KillBrick(t, 0)
	p.KillBrick(t, 1)
	says("not connected")
	held()
	p.RestartBrick(t, 0)
	write("after all bricks")
	arrives("a change after all bricks were gone")

	p.Stop(t)
	says("not connected")
	held()
	p.Start(t)
	write("after the volume was stopped")
	arrives("a change after the volume was stopped")

	lab.StopGlusterd(t)
	write("without glusterd")
	arrives("a change while glusterd is gone")
	h.stop(syscall.SIGTERM)
	pl.clean(t)

	h = pl.start(t, "-c", pl.glusterConfig(t, url, pl.s, quick))
	heard = 0
	says("glusterd does not answer on " + lab.Server())
	lab.StartGlusterd(t)
	write("last")
	arrives("a change after glusterd was gone")

	// What does the mounting is killed under the mirror.
	for _, m := range pl.find(t, mountProc) {
		m.signal(syscall.SIGKILL)
	}
	write("after the mount was gone")
	arrives("a change after the mount was gone")
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}
