package gluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// rows takes a scan; at is called with the number of entries so far.
type rows struct {
	self    sdk.Entry
	entries []sdk.Entry
	err     *sdk.Error
	at      func(n int)
}

func (r *rows) BeginDir(_ int, e *sdk.Entry) error { r.self = *e; return nil }
func (r *rows) Entry(e *sdk.Entry) error {
	r.entries = append(r.entries, *e)
	if r.at != nil {
		r.at(len(r.entries))
	}
	return nil
}
func (r *rows) EndDir(_ int, err *sdk.Error) error { r.err = err; return nil }

func list(t *testing.T, r sdk.Resource, p sdk.Path, at func(int)) rows {
	t.Helper()
	out := rows{at: at}
	must(t, r.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{p}, Fields: sdk.FieldNative}, &out))
	return out
}

func fill(t *testing.T, dir string, n int) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
	for i := range n {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d", i)), []byte("x"), 0o644))
	}
}

// testDeadBrick lists while a brick of a distributed volume is gone, and while it
// dies: what is on it must never look as if it were removed.
func testDeadBrick(t *testing.T, p *pool) {
	vol := p.take()
	const files = 700
	fill(t, filepath.Join(vol.dir, "d"), files)
	r := newRig(t)
	s := r.source(t, vol.Volume)
	g := r.target(t, vol.Volume, sdk.UUID{})
	await := func(want bool) {
		t.Helper()
		glusterlab.Await(t, "the listings to be as wanted", func() error {
			for _, side := range []sdk.Resource{s, g} {
				if l := list(t, side, "d", nil); (l.err == nil) != want || (want && len(l.entries) != files) {
					return fmt.Errorf("%d entries, %v", len(l.entries), l.err)
				}
			}
			return nil
		})
	}
	await(true)
	l := list(t, s, "d", func(n int) {
		if n == 10 {
			vol.KillBrick(t, 0)
		}
	})
	if l.err == nil || sdk.KindOf(l.err) != sdk.KindTransient {
		t.Errorf("killed in mid-listing: %d entries, %v", len(l.entries), l.err)
	}
	t.Logf("killed in mid-listing: %d entries, %v", len(l.entries), l.err)
	for range 3 {
		for _, side := range []sdk.Resource{s, g} {
			if l := list(t, side, "d", nil); l.err == nil || sdk.KindOf(l.err) != sdk.KindTransient {
				t.Errorf("brick dead: %d entries, %v", len(l.entries), l.err)
			}
		}
	}
	if err := g.Sync(t.Context()); sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("sync, brick dead: %v", err)
	}
	if _, err := r.OpenSource(t.Context(), request(addressOf(vol.Volume))); sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("open, brick dead: %v", err)
	} else {
		t.Log(err)
	}
	vol.RestartBrick(t, 0)
	await(true)
	if err := g.Sync(t.Context()); sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("first sync after a brick came back: %v", err)
	}
	must(t, g.Sync(t.Context()))

	// Gone and back again within one listing.
	l = list(t, s, "d", func(n int) {
		if n != 10 {
			return
		}
		vol.KillBrick(t, 0)
		vol.RestartBrick(t, 0)
		glusterlab.Await(t, "the mount to find the brick", func() error {
			if l := list(t, s, "d", nil); l.err != nil {
				return l.err
			}
			return nil
		})
	})
	if l.err == nil {
		t.Errorf("a brick came and went in one listing of %d entries", len(l.entries))
	}
	t.Log(l.err)
}

// testCopiesLeft lists while one of three bricks is gone, which takes nothing
// away.
func testCopiesLeft(t *testing.T, p *pool) {
	vol := p.take()
	fill(t, filepath.Join(vol.dir, "d"), 20)
	r := newRig(t)
	s, g := r.source(t, vol.Volume), r.target(t, vol.Volume, sdk.UUID{})
	vol.KillBrick(t, 1)
	for _, side := range []sdk.Resource{s, g} {
		if l := list(t, side, "d", nil); l.err != nil || len(l.entries) != 20 {
			t.Errorf("%d entries, %v", len(l.entries), l.err)
		}
	}
	must(t, g.Sync(t.Context()))
	vol.RestartBrick(t, 1)
	must(t, g.Sync(t.Context()))
}

// testNative reads native xtimes of a primary and keeps them on a secondary.
func testNative(t *testing.T, p *pool) {
	vol := p.lend(t)
	dir := vol.dir
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	r := newRig(t)
	s := r.source(t, vol.Volume)
	volume := s.Info().Volume
	if volume.String() != vol.UUID() || s.Info().Features&sdk.HasNative == 0 {
		t.Fatalf("volume %s, want %s", volume, vol.UUID())
	}
	var first sdk.NativeXTime
	glusterlab.Await(t, "the mark to reach the root", func() error {
		l := list(t, s, ".", nil)
		if l.err != nil || len(l.entries) != 1 || l.entries[0].Native.IsZero() || l.self.Native.Compare(l.entries[0].Native) < 0 {
			return fmt.Errorf("%+v", l)
		}
		first = l.entries[0].Native
		return nil
	})
	must(t, os.WriteFile(filepath.Join(dir, "d", "f"), nil, 0o644))
	glusterlab.Await(t, "a newer mark", func() error {
		if l := list(t, s, ".", nil); len(l.entries) != 1 || l.entries[0].Native == first || l.self.Native.Compare(l.entries[0].Native) < 0 {
			return fmt.Errorf("%+v", l)
		}
		return nil
	})
	must(t, s.Close())

	other := sdk.UUID{0xaa, 1}
	g := r.target(t, vol.Volume, other)
	if can := g.Info().Features&sdk.HasNative != 0; can != (p.layout != glusterlab.Disp3) {
		t.Errorf("target keeps native xtimes: %v", can)
	}
	x := sdk.NativeXTime{Sec: 1e9, Usec: 7}
	ops := []sdk.Op{{Kind: sdk.OpSetMark, Path: "d", Mark: []byte("mark"), Native: x}}
	m := sdk.VolumeMark{Volume: other, Since: x, Until: sdk.Time{Sec: 2e9}}
	if g.Info().Features&sdk.KeepsVolumeMark != 0 {
		ops = append(ops, sdk.Op{Kind: sdk.OpSetVolumeMark, Path: sdk.Root, VolumeMark: m})
	}
	out, err := g.Apply(t.Context(), ops)
	must(t, err)
	for i, res := range out {
		if res.Err != nil {
			t.Errorf("%s: %v", ops[i].Kind, res.Err)
		}
	}
	t.Logf("volume marks kept: %v", len(ops) == 2)
	if p.layout == glusterlab.Disp3 {
		return
	}
	e, err := g.Stat(t.Context(), []sdk.Path{"d"}, sdk.FieldNative|sdk.FieldMark)
	must(t, err)
	if e[0].Native != x || string(e[0].Mark) != "mark" {
		t.Errorf("%+v", e[0])
	}
	aux := vol.MountAux(t)
	b := make([]byte, 64)
	n, err := unix.Lgetxattr(aux, "trusted.glusterfs.volume-mark."+other.String(), b)
	must(t, err)
	if n != 31 || b[0] != 1 || b[30] != 0 || b[27] != 0x77 {
		t.Errorf("%x", b[:n])
	}
}
