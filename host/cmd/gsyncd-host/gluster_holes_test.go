package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// swept is like quick, with a sweep that is due so long after the last.
func swept(every string) string {
	return fmt.Sprintf("retry {\n min = \"100ms\"\n max = \"500ms\"\n}\n schedule {\n interval = \"100ms\"\n sweep = %q\n}\n", every)
}

// stamp is the latest xtime that the bricks which are asked have for an entry, in
// microseconds. It is read beside Gluster, which would learn by a question where
// the entry is.
func (v *vol) stamp(t *testing.T, name string, bricks ...int) int64 {
	t.Helper()
	var latest int64
	for _, i := range bricks {
		b := make([]byte, 8)
		n, err := unix.Lgetxattr(filepath.Join(v.BrickDir(i), name), "trusted.glusterfs."+v.UUID()+".xtime", b)
		if err != nil || n != len(b) {
			t.Fatalf("xtime of %s on brick %d: %d bytes, %v", name, i, n, err)
		}
		latest = max(latest, int64(binary.BigEndian.Uint32(b))*1e6+int64(binary.BigEndian.Uint32(b[4:])))
	}
	return latest
}

// unmarked does a change, and checks that it marks the file, and none of the
// directories above it.
func (v *vol) unmarked(t *testing.T, file string, dirs []string, change func()) {
	t.Helper()
	before := v.stamp(t, file, 0)
	var above []int64
	for _, d := range dirs {
		above = append(above, v.stamp(t, d, 0))
	}
	change()
	poll(t, "the file is marked", func() bool { return v.stamp(t, file, 0) > before })
	for i, d := range dirs {
		if v.stamp(t, d, 0) != above[i] {
			t.Errorf("%q is marked: no hole", d)
		}
	}
}

// overwrite writes over the beginning of a file, and has it leave the machine.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString(text)
	check(t, errors.Join(err, f.Sync(), f.Close()))
}

// TestGlusterHoleLinks: a write through one of a file's names marks the directories
// of another. The mirror knows all names that it listed, and looks at each.
func TestGlusterHoleLinks(t *testing.T) {
	t.Parallel()
	p := newVol(t, "hole-links", glusterlab.One, true)
	pl := newGlusterPlace(t, p, nil)
	pl.write(t, "d/e/g/f", []byte("first"))
	config := pl.glusterConfig(t, p.URL(), pl.s, swept("24h"))
	link := func(name string) {
		t.Helper()
		path := filepath.Join(pl.p, name)
		check(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Link(filepath.Join(pl.p, "d/e/g/f"), path)))
	}
	h := pl.start(t, "-c", config)
	pl.arrives(t, h, "the file")
	link("d/other/deep/hl")
	pl.arrives(t, h, "its second name")
	p.unmarked(t, "d/e/g/f", []string{"d/e", "d/e/g"}, func() { overwrite(t, filepath.Join(pl.p, "d/e/g/f"), "other") })
	began := time.Now()
	pl.arrives(t, h, "a write by the first name")
	t.Logf("a write by the first name: %v", time.Since(began))

	// The same while no mirror runs, and when it knows one name only.
	h.stop(syscall.SIGTERM)
	link("late/deep/hl")
	p.unmarked(t, "d/e/g/f", []string{"d", "d/e/g", "d/other/deep"}, func() { overwrite(t, filepath.Join(pl.p, "d/e/g/f"), "third") })
	h = pl.start(t, "-c", config)
	pl.arrives(t, h, "a write while no mirror ran")
	h.stop(syscall.SIGTERM)
	pl.clean(t)
}

// TestGlusterHoleSwept makes those holes that only a sweep can find: first shows
// that the mirror does not see the change without one, and then that it does.
func TestGlusterHoleSwept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		before func(*vol, *testing.T)
		make   func(*vol, *testing.T) // changes d/e/f
	}{
		{"brick restarts", func(*vol, *testing.T) {}, func(v *vol, t *testing.T) {
			f, err := os.OpenFile(filepath.Join(v.dir, "d/e/f"), os.O_WRONLY, 0)
			check(t, err)
			defer f.Close()
			v.KillBrick(t, 0)
			v.RestartBrick(t, 0)
			v.back(t)
			v.unmarked(t, "d/e/f", []string{"", "d", "d/e"}, func() {
				_, err := f.WriteString("other")
				check(t, errors.Join(err, f.Sync()))
			})
		}},
		{"inode evicted", func(v *vol, t *testing.T) { v.Set(t, "network.inode-lru-limit", "64") }, func(v *vol, t *testing.T) {
			f, err := os.OpenFile(filepath.Join(v.dir, "d/e/f"), os.O_WRONLY, 0)
			check(t, err)
			defer f.Close()
			for i := range 300 {
				check(t, os.Mkdir(filepath.Join(v.dir, "many", strconv.Itoa(i)), 0o755))
			}
			v.unmarked(t, "d/e/f", []string{"d", "d/e"}, func() {
				_, err := f.WriteString("other")
				check(t, errors.Join(err, f.Sync()))
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newVol(t, "hole-"+c.name[:5], glusterlab.One, true)
			c.before(p, t)
			pl := newGlusterPlace(t, p, nil)
			pl.write(t, "d/e/f", []byte("first"))
			pl.write(t, "many/f", nil)
			pl.once(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("24h")))
			c.make(p, t)
			pl.once(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("24h")))
			if data, err := os.ReadFile(filepath.Join(pl.s, "d/e/f")); err != nil || string(data) != "first" {
				t.Errorf("found without a sweep: %q, %v", data, err)
			}
			pl.once(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("1s")))
			if !pl.inSync(t) {
				t.Error("not found with a sweep")
			}
			pl.clean(t)
		})
	}
}

// TestGlusterHoleHealed: what self-heal brings back gets newer stamps than the
// directories above. The data are those that the mirror has seen, in which it
// must not be misled.
func TestGlusterHoleHealed(t *testing.T) {
	t.Parallel()
	p := newVol(t, "hole-healed", glusterlab.Rep3, true)
	pl := newGlusterPlace(t, p, nil)
	pl.write(t, "d/e/f", []byte("first"))
	pl.write(t, "gone/f", []byte("first"))
	h := pl.start(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept("24h")))
	pl.arrives(t, h, "the first state")
	p.KillBrick(t, 1)
	overwrite(t, filepath.Join(pl.p, "d/e/f"), "other")
	check(t, os.RemoveAll(filepath.Join(pl.p, "gone")))
	pl.write(t, "new/f", []byte("new"))
	pl.arrives(t, h, "a change while a brick is down")
	h.stop(syscall.SIGTERM)
	overwrite(t, filepath.Join(pl.p, "d/e/f"), "third")
	p.RestartBrick(t, 1)
	p.back(t)
	p.HealFull(t)
	if file, dir := p.stamp(t, "d/e/f", 0, 1), p.stamp(t, "d/e", 0, 1); file <= dir {
		t.Errorf("healing marked the directory too (%d, the file %d): no hole", dir, file)
	}
	for _, sweep := range []string{"24h", "1s"} {
		pl.once(t, "-c", pl.glusterConfig(t, p.URL(), pl.s, swept(sweep)))
		if !pl.inSync(t) {
			t.Errorf("sweep %s: the trees differ", sweep)
		}
	}
	pl.clean(t)
}
