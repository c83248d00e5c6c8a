package main

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// xtimeOf reads a directory's xtime of a volume, in microseconds; 0 is none.
func xtimeOf(t *testing.T, dir, volume string) int64 {
	t.Helper()
	b := make([]byte, 64)
	n, err := unix.Lgetxattr(dir, "trusted.glusterfs."+volume+".xtime", b)
	if err == unix.ENODATA || err == nil && n == 2 { // what a dispersed volume says
		return 0
	}
	check(t, err)
	if n != 8 {
		t.Fatalf("%s: an xtime of %d bytes", dir, n)
	}
	return int64(binary.BigEndian.Uint32(b))*1e6 + int64(binary.BigEndian.Uint32(b[4:]))
}

// asClassic takes away from a secondary what classic gsyncd does not leave there.
func asClassic(t *testing.T, root string) (dirs []string) {
	t.Helper()
	check(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		dirs = append(dirs, rel)
		b := make([]byte, 4096)
		n, err := unix.Llistxattr(path, b)
		for _, name := range strings.Split(string(b[:n]), "\x00") {
			if err == nil && strings.Contains(name, "gsyncd-host") {
				err = unix.Lremovexattr(path, name)
			}
		}
		return err
	}))
	return dirs
}

// TestGlusterTakeOver mirrors a volume, looks whether classic gsyncd could go on,
// and goes on itself where only the marks of that are.
func TestGlusterTakeOver(t *testing.T) {
	t.Parallel()
	pop := newVol(t, "kpop", glusterlab.One, true)
	for _, o := range operations()[:5] {
		check(t, o.do(func(name string) string { return filepath.Join(pop.dir, name) }))
	}
	native := pop.MountAux(t)
	for _, c := range []struct {
		name   string
		layout glusterlab.Layout
		keeps  bool
	}{{"a directory", -1, true}, {"distributed", glusterlab.Dist2, true}, {"dispersed", glusterlab.Disp3, false}} {
		t.Run(c.name, func(t *testing.T) { // one by one: each ends all mounts of the primary
			var s *vol
			if c.layout >= 0 {
				s = newVol(t, "k"+c.layout.String(), c.layout, false)
			}
			pl := newGlusterPlace(t, pop, s)
			url, seen := pl.s, pl.s
			if s != nil {
				url, seen = s.URL(), s.MountAux(t)
			}
			begin := func() (files, bytes, visited int64) {
				h := pl.run(t, 0, "--json", pop.URL(), url)
				if !pl.inSync(t) {
					t.Error("the trees differ")
				}
				return h.summary()
			}
			if files, _, _ := begin(); files == 0 {
				t.Error("nothing was sent at first")
			}
			for _, d := range asClassic(t, seen) {
				want, got := xtimeOf(t, filepath.Join(native, d), pop.UUID()), xtimeOf(t, filepath.Join(seen, d), pop.UUID())
				if c.keeps && (want == 0 || got > want || want-got > 100) || !c.keeps && got != 0 {
					t.Errorf("%q: xtime %d on the primary, %d on the secondary", d, want, got)
				}
			}
			if !c.keeps {
				return
			}
			check(t, os.RemoveAll(pl.state))
			files, bytes, visited := begin()
			t.Logf("took over: %d files, %d bytes, %d directories entered", files, bytes, visited)
			if files != 0 {
				t.Errorf("%d files of %d bytes were sent again", files, bytes)
			}
		})
	}
}
