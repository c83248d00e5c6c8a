package marker

import (
	"maps"
	"slices"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// differs has a crawl list a directory, and reports whether it is another than the pass
// found.
func (r *rig) differs(p sdk.Path) bool {
	r.t.Helper()
	o, w := r.fs.must(p), NewWitness(r.last)
	self := r.fs.row(o, ".", 0)
	w.Begin(&self)
	for _, name := range slices.Sorted(maps.Keys(o.kids)) {
		// A crawl asks for more than a pass does.
		e := r.fs.row(o.kids[name], name, sdk.FieldNative|sdk.FieldEntryNative)
		e.Target, e.Xattrs = "x", []sdk.Xattr{{Name: "user.x"}}
		w.Entry(&e)
	}
	own := r.fs.row(o, sdk.ReservedPrefix+"x", 0)
	w.Entry(&own)
	return r.m.Differs(o.entry.ID, w)
}

// allKnown makes passes until nothing is left for another start to stamp.
func (r *rig) allKnown() {
	r.t.Helper()
	if r.quiet(); r.told == points {
		r.pin()
	}
}

// doubted is a rig whose a/x was found changed by a crawl, and noted.
func doubted(t *testing.T, by told) *rig {
	r := newRigTold(t, by)
	r.fs.mkdirAll("a/x")
	r.fs.create("a/x/f")
	r.fs.mkdirAll("b")
	r.allKnown()
	r.fs.pass()
	r.fs.commit()
	for _, p := range []sdk.Path{sdk.Root, "a", "a/x", "b"} {
		if r.differs(p) {
			t.Errorf("%s is as the pass found it, and differs", p)
		}
	}
	r.fs.write("a/x/f")
	clear(r.fs.dirty) // nobody tells
	if !r.differs("a/x") || r.differs("a") {
		t.Error("a change is not found where it is")
	}
	if err := r.m.Doubt([]sdk.FileID{r.fs.id("a/x")}); err != nil {
		t.Fatal(err)
	}
	if r.differs("a/x") {
		t.Error("what is noted is found once more")
	}
	return r
}

// What a crawl saw changed is stamped by the next start, though it is again what the
// last pass found; and once is enough.
func TestDoubtOutlastsACrash(t *testing.T) {
	for _, by := range ways() {
		for _, anew := range []bool{false, true} {
			r := doubted(t, by)
			if anew { // in a new file
				r.m.journal.renew()
				if err := r.m.commit(); err != nil {
					t.Fatal(err)
				}
			}
			before := r.xtimes()
			r.fs.cutPower(false)
			r.crash()
			r.allKnown()
			after := r.xtimes()
			r.expect(string(by)+": changed", set(".", "a", "a/x"), changed(before, after))
			r.crash()
			r.quiet()
			r.expect(string(by)+": changed by another start", map[sdk.Path]bool{}, changed(after, r.xtimes()))
		}
	}
}

// Doubt alone leads nobody there, and what is changed is stamped once.
func TestDoubtLeadsToNoLook(t *testing.T) {
	r := doubted(t, names)
	before := r.xtimes()
	r.fs.pass()
	r.fs.listed = 0
	if p := r.look(); r.fs.listed != 0 || p.Changed || p.Racy {
		t.Errorf("%d directories were listed: %+v", r.fs.listed, p)
	}
	r.fs.dirty[r.fs.id("a/x")] = true
	r.look()
	after := r.xtimes()
	r.expect("changed", set(".", "a", "a/x"), changed(before, after))
	r.fs.dirty[r.fs.id("a/x")] = true
	r.look()
	r.expect("changed after that", map[sdk.Path]bool{}, changed(after, r.xtimes()))
}

// A primary may fall back under a marker that goes on, as that of a server does.
func TestDoubtWithoutARestart(t *testing.T) {
	r := doubted(t, nothing)
	before := r.xtimes()
	r.fs.cutPower(false)
	r.look()
	r.expect("changed", set(".", "a", "a/x"), changed(before, r.xtimes()))
}

// What could not be written is not noted, and may be told again.
func TestDoubtCannotBeWritten(t *testing.T) {
	r := doubted(t, nothing)
	r.fs.create("b/new")
	r.m.journal.file.Close()
	if err := r.m.Doubt([]sdk.FileID{r.fs.id("b")}); err == nil {
		t.Fatal("no error from a closed index")
	}
	if err := r.m.Doubt([]sdk.FileID{r.fs.id("b")}); err != nil {
		t.Fatal(err)
	}
	before := r.xtimes()
	r.fs.cutPower(false)
	r.crash()
	r.look()
	r.expect("changed", set(".", "a", "a/x", "b"), changed(before, r.xtimes()))
}

func TestAlike(t *testing.T) {
	e := sdk.Entry{Type: sdk.TypeRegular, ID: sdk.FileID{Ino: 1}, Nlink: 1, Perm: 0o644, Size: 2, Ctime: sdk.Time{Sec: 3}, Mtime: sdk.Time{Sec: 3}}
	dir := e
	dir.Type = sdk.TypeDir
	mount := dir
	mount.Mount = true
	for what, c := range map[string]struct {
		change         func(*sdk.Entry)
		file, dir, mnt bool
	}{
		"target":  {func(e *sdk.Entry) { e.Target = "x" }, true, true, true},
		"size":    {func(e *sdk.Entry) { e.Size++ }, false, true, true},
		"nlink":   {func(e *sdk.Entry) { e.Nlink++ }, false, true, true},
		"minor":   {func(e *sdk.Entry) { e.Minor++ }, false, true, true},
		"major":   {func(e *sdk.Entry) { e.Major++ }, false, true, true},
		"ctime":   {func(e *sdk.Entry) { e.Ctime.Nsec++ }, false, false, true},
		"mtime":   {func(e *sdk.Entry) { e.Mtime.Nsec++ }, false, false, true},
		"mode":    {func(e *sdk.Entry) { e.Perm++ }, false, false, false},
		"owner":   {func(e *sdk.Entry) { e.UID++ }, false, false, false},
		"group":   {func(e *sdk.Entry) { e.GID++ }, false, false, false},
		"another": {func(e *sdk.Entry) { e.ID.Gen++ }, false, false, false},
		"type":    {func(e *sdk.Entry) { e.Type = sdk.TypeFIFO }, false, false, false},
	} {
		for _, p := range []struct {
			e    sdk.Entry
			want bool
		}{{e, c.file}, {dir, c.dir}, {mount, c.mnt}} {
			later := p.e
			c.change(&later)
			if got := Alike(&p.e, &later); got != p.want {
				t.Errorf("%s of %s (mount %v): alike %v", what, p.e.Type, p.e.Mount, got)
			}
		}
	}
}
