package marker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// wide makes a tree of n directories, each with a file, three levels deep.
func wide(t *testing.T, by told, n int) *rig {
	r := newRigTold(t, by)
	for i := range n {
		p := sdk.Path(fmt.Sprintf("d%02d/e%02d/f%d", i%30, i/30%30, i))
		r.fs.mkdirAll(p)
		r.fs.create(p.Join("file"))
	}
	r.quiet()
	r.fs.listed, r.fs.stats = 0, 0
	return r
}

func TestQuietNative(t *testing.T) {
	r := wide(t, native, 100)
	before, root := r.xtimes(), r.m.tree.at(r.m.tree.root).native
	want := r.lookAt(Hint{All: true, Sweep: true})
	if !want.Swept || want.Dirs == 0 || want.Native != root {
		t.Errorf("sweep: %+v", want)
	}
	r.fs.listed = 0
	for _, restart := range []func(){func() {}, r.crash, func() { r.m.Close(); r.open() }} {
		restart()
		p := r.look()
		if p.Swept || p.Dirs != 0 || p.Changed || p.Native != root || p.Entries != want.Entries || p.Bytes != want.Bytes {
			t.Errorf("pass: %+v", p)
		}
	}
	if r.fs.listed != 0 || r.fs.stats != 3 {
		t.Errorf("%d directories listed, %d polls", r.fs.listed, r.fs.stats)
	}
	r.expect("xtimes", before, r.xtimes())
}

// What a pass costs is in proportion to what changed, whatever the size of the
// tree.
func TestCostFollowsChange(t *testing.T) {
	const depth = 4 // with the root
	for _, by := range []told{native, names} {
		allocs := map[int]float64{}
		for _, size := range []int{300, 3000} {
			r := wide(t, by, size)
			for _, changes := range []int{1, 3} {
				for i := range changes {
					r.fs.write(sdk.Path(fmt.Sprintf("d%02d/e00/f%d/file", i, i)))
				}
				r.fs.pass()
				r.fs.listed = 0
				if p := r.look(); r.fs.listed > changes*depth || r.fs.listed < changes || !p.Changed {
					t.Errorf("%s: %d of %d directories changed, %d were listed", by, changes, size, r.fs.listed)
				}
			}
			hint, fs, p := Hint{All: by == native}, r.fs, sdk.Path("d00/e00/f0")
			hint.Dirs = []sdk.FileID{fs.id(p)}
			src := &still{fakeFS: fs, rows: map[sdk.Path][]sdk.Entry{}}
			allocs[size] = testing.AllocsPerRun(20, func() {
				fs.value++
				fs.root.native.Usec = fs.value
				if _, err := r.m.Refresh(context.Background(), src, hint); err != nil {
					t.Fatal(err)
				}
			})
		}
		if allocs[3000] > allocs[300]+5 {
			t.Errorf("%s: allocations: %v", by, allocs)
		}
	}
}

// still is a fakeFS whose listings cost nothing.
type still struct {
	*fakeFS
	rows map[sdk.Path][]sdk.Entry
}

func (s *still) Scan(_ context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	for i, p := range req.Dirs {
		if s.rows[p] == nil {
			gather := &gatherer{}
			_ = s.list(0, p, sdk.FieldNative, gather)
			s.rows[p] = gather.rows
		}
		self := s.rows[p][0]
		if p == sdk.Root {
			self.Native = s.root.native
		}
		if err := sink.BeginDir(i, &self); err != nil {
			return err
		}
		for k := range s.rows[p][1:] {
			if err := sink.Entry(&s.rows[p][1+k]); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
	}
	return nil
}

type gatherer struct{ rows []sdk.Entry }

func (g *gatherer) BeginDir(_ int, self *sdk.Entry) error { return g.Entry(self) }
func (g *gatherer) Entry(e *sdk.Entry) error              { g.rows = append(g.rows, *e); return nil }
func (g *gatherer) EndDir(int, *sdk.Error) error          { return nil }

// Another volume mark costs a comparison, and stamps nothing that is as it was.
func TestIndexReset(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.reindex()
	p := r.look()
	if !p.Swept || p.Changed || int(p.Dirs) != len(r.fs.dirs()) {
		t.Errorf("pass: %+v", p)
	}
	if !strings.Contains(r.log.String(), "begun anew") {
		t.Errorf("log: %s", &r.log)
	}
	r.fs.listed = 0
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("before anything is marked: %+v", p)
	}
	r.fs.mark("d00")
	r.fs.listed = 0
	if p := r.look(); p.Swept || r.fs.listed != 2 || !p.Changed {
		t.Errorf("after the first mark %d listed: %+v", r.fs.listed, p)
	}
	r.quiet()
	before := r.xtimes()
	r.crash()
	r.fs.reindex()
	r.fs.mark("d01")
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("index reset and restart: %+v", p)
	}
	r.expect("xtimes", before, r.xtimes())
}

// A native xtime is taken over by a pass that came to its end, and lost with one
// that did not.
func TestNativeIsKept(t *testing.T) {
	r := wide(t, native, 50)
	id, was := r.fs.id("d00"), r.fs.must("d00").native
	r.fs.write("d00/e00/f0/file")
	is := r.fs.must("d00").native
	native := func() sdk.NativeXTime { x, _ := r.m.Native(id); return x }
	r.fs.onList = func(p sdk.Path) {
		if p == "d00/e00/f0" {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true}); err == nil {
		t.Fatal("no error")
	}
	r.expect("native xtime after a broken pass", was, native())
	r.fs.onList, r.fs.broken = nil, nil
	if p := r.quiet(); !p.Changed && p.Dirs == 0 {
		t.Errorf("the change is lost: %+v", p)
	}
	r.expect("native xtime", is, native())
	r.m.Close()
	r.open()
	r.expect("native xtime after a restart", is, native())
	if _, ok := r.m.Native(sdk.FileID{Ino: 99999}); ok {
		t.Error("native xtime of a stranger")
	}
	r.fs.statErr = &sdk.Error{Kind: sdk.KindTransient, Op: "stat", Errno: 107}
	if _, err := r.m.Refresh(t.Context(), r.fs, Hint{All: true}); !errors.Is(err, r.fs.statErr) {
		t.Errorf("error: %v", err)
	}
}

// What marking missed is found by the sweep, and by the other names of a file at
// once.
func TestHoles(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	before := r.xtimes()
	r.fs.write("d01/e00/f1/other") // marks one chain alone
	r.quiet()
	r.expect("by another name", set(".", "d00", "d00/e00", "d00/e00/f0", "d01", "d01/e00", "d01/e00/f1"), changed(before, r.xtimes()))
	before = r.xtimes()
	r.fs.skip = func() bool { return true }
	r.fs.write("d02/e00/f2/file")
	r.fs.skip = nil
	r.quiet()
	r.expect("unmarked", set(), changed(before, r.xtimes()))
	r.sweep()
	r.expect("swept", set(".", "d02", "d02/e00", "d02/e00/f2"), changed(before, r.xtimes()))
}

// Names of files that are not known make a pass one through the whole tree; names
// outside of it do so once.
func TestNamesUnknown(t *testing.T) {
	r := wide(t, native, 50)
	r.fs.link("d00/e00/f0/file", "d01/e00/f1/other")
	r.quiet()
	r.m.Close()
	r.open()
	if p := r.look(); p.Swept || p.NamesKnown {
		t.Errorf("after a restart: %+v", p)
	}
	r.fs.write("d02/e00/f2/file")
	if p := r.quiet(); p.Swept || p.NamesKnown {
		t.Errorf("a file with one name: %+v", p)
	}
	r.fs.write("d00/e00/f0/file")
	r.fs.pass()
	if p := r.look(); !p.Swept || !p.NamesKnown {
		t.Errorf("a file with two names: %+v", p)
	}
	r.expect("names", 2, len(r.m.Links(r.fs.id("d00/e00/f0/file"))))
	r.fs.must("d03/e00/f3/file").entry.Nlink++ // outside
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	if p := r.look(); !p.Swept {
		t.Errorf("a new name somewhere: %+v", p)
	}
	r.fs.write("d03/e00/f3/file")
	r.fs.pass()
	if p := r.look(); p.Swept || !p.Changed {
		t.Errorf("a known name outside: %+v", p)
	}
}

// Holes, faults, restarts, index resets and passes of any kind, in any order: a
// sweep makes the index what a fresh one would be, and nothing ever goes back.
func TestSweepModel(t *testing.T) {
	for _, seed := range seeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("GSYNCD_SEED=%d", seed)
			r := newRigTold(t, native)
			u := &mutator{Rand: rand.New(rand.NewPCG(seed, 3)), fs: r.fs}
			r.fs.skip = func() bool { return u.IntN(5) == 0 }
			var sick []*object
			for range 60 {
				u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
				for range u.IntN(6) {
					u.op()
				}
				r.fs.now += u.Int64N(2 * r.fs.step)
				switch u.IntN(12) {
				case 0:
					r.crash()
				case 1:
					r.m.Close()
					r.open()
				case 2:
					r.fs.reindex()
					r.fs.mark(sdk.Root)
				case 3:
					if o := r.fs.must(u.pick(true)); o != r.fs.root {
						o.fail, sick = &sdk.Error{Kind: sdk.KindPermission, Op: "open"}, append(sick, o)
					}
				case 4:
					for _, o := range sick {
						o.fail = nil
					}
					sick = nil
				case 5:
					left := u.IntN(4)
					r.fs.onList = func(sdk.Path) {
						if left--; left < 0 {
							r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
						}
					}
					_, _ = r.m.Refresh(t.Context(), r.fs, Hint{All: true, Sweep: u.IntN(2) == 0})
					r.fs.onList, r.fs.broken = nil, nil
				}
				before := known(r)
				r.lookAt(Hint{All: true, Sweep: u.IntN(5) == 0})
				for id, x := range known(r) {
					if was := before[id]; x.Epoch == was.Epoch && x.Seq < was.Seq {
						t.Fatalf("xtime went from %v to %v", was, x)
					}
				}
			}
			for _, o := range sick {
				o.fail = nil
			}
			r.sweep()
			r.same()
			r.sweep()
			r.sweep()
			if n := r.m.tree.len() - len(r.m.ghosts); n != len(r.fs.dirs()) {
				t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
			}
			r.same()
			byID(r)
		})
	}
}

// known gives the xtimes of those directories that have one.
func known(r *rig) map[sdk.FileID]sdk.XTime {
	out := map[sdk.FileID]sdk.XTime{}
	for id := range r.fs.dirs() {
		if x, ok := r.m.XTime(id); ok {
			out[id] = x
		}
	}
	return out
}

// An index of the earlier version keeps its xtimes.
func TestOlderIndex(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	b := []byte(fileMagic)
	b = binary.LittleEndian.AppendUint32(b, noNatives)
	b = binary.LittleEndian.AppendUint64(b, r.m.epoch)
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = appendID(b, r.m.ident.Root)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.m.ident.Filesystem)))
	b = append(b, r.m.ident.Filesystem...)
	batch := appendClock(make([]byte, batchHead), r.m.clock.reserved)
	for r0, n := range r.m.tree.all() {
		batch = append(batch, recDir, byte(n.flags&(flagUnknown|flagUnlisted|flagGhost)))
		batch = appendID(batch, n.id)
		batch = binary.LittleEndian.AppendUint64(batch, n.own)
		batch = append(batch, n.digest[:]...)
		batch = appendPlace(batch, r.m.tree, place{r.m.tree.at(r0).parent, n.name})
	}
	sealBatch(batch)
	binary.LittleEndian.PutUint64(b[at:], uint64(len(b)+4+len(batch)))
	b = append(binary.LittleEndian.AppendUint32(b, crc(b)), batch...)
	r.setIndex(b)
	r.crash()
	r.expect("xtimes", before, r.xtimes())
	r.fs.natively()
	if p := r.look(); !p.Swept || p.Changed {
		t.Errorf("first pass: %+v", p)
	}
	r.crash()
	r.fs.listed = 0
	if p := r.look(); p.Swept || r.fs.listed != 0 || p.Entries == 0 || p.Bytes == 0 {
		t.Errorf("after a restart: %+v", p)
	}
	r.expect("xtimes", before, r.xtimes())
}

func TestEmptiedRoot(t *testing.T) {
	r := wide(t, native, 50)
	for name := range r.fs.root.kids {
		r.fs.remove(sdk.Path(name))
	}
	r.fs.pass()
	if p := r.look(); p.Swept || p.Entries != 0 || p.Bytes != 0 {
		t.Errorf("pass: %+v", p)
	}
	for _, restart := range []func(){r.crash, func() { r.m.Close(); r.open() }} {
		restart() // what is missing must not count again
		if p := r.look(); p.Entries != 0 || p.Bytes != 0 || p.Unlisted != 0 {
			t.Errorf("after a restart: %+v", p)
		}
	}
}

// A directory that is gone is no part of the primary that cannot be read, however
// a pass comes to miss it.
func TestGoneIsNotUnlisted(t *testing.T) {
	for _, by := range []told{native, names} {
		for what, restart := range map[string]func(*rig){
			"same process":  func(*rig) {},
			"after a crash": (*rig).crash,
			"after a close": func(r *rig) { r.m.Close(); r.open() },
		} {
			t.Run(fmt.Sprintf("%s/%s", by, what), func(t *testing.T) {
				r := wide(t, by, 5)
				vanish := func(p sdk.Path) {
					for name := range r.fs.must(p).kids {
						r.fs.remove(p.Join(name))
					}
					r.fs.remove(p)
				}
				r.fs.write("d00/e00/f0/file")
				r.fs.onList = func(p sdk.Path) {
					if p == "d00/e00/f0" && r.fs.find(p) != nil {
						vanish(p) // between its parent's listing and its own
					}
				}
				r.look()
				r.fs.onList = nil
				// And some that are in doubt when they vanish.
				r.fs.must("d01/e00/f1").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "list"}
				r.fs.must("d02").fail = &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
				r.fs.write("d01/e00/f1/file")
				r.fs.create("d02/new")
				if p := r.look(); p.Unlisted != 2 {
					t.Errorf("%d directories cannot be listed, want 2", p.Unlisted)
				}
				vanish("d01/e00/f1")
				r.fs.remove("d02")
				restart(r)
				for range 3 {
					r.fs.pass()
					if p := r.look(); p.Unlisted != 0 {
						t.Errorf("problems: %+v", p.Problems[0])
					}
				}
				if n := len(r.m.pending); n != 0 && by == native {
					t.Errorf("%d directories are still in doubt", n)
				}
			})
		}
	}
}

// A directory with an entry that could not be described is listed until it can:
// nothing is marked when that is so, and the entry may be a further name of a file.
func TestUnseenEntries(t *testing.T) {
	for what, restart := range map[string]func(*rig){"same process": func(*rig) {}, "after a crash": (*rig).crash} {
		t.Run(what, func(t *testing.T) {
			r := wide(t, native, 5)
			r.fs.link("d00/e00/f0/file", "d01/e00/f1/again")
			hidden := r.fs.must("d01/e00/f1/again")
			hidden.entry.Type, hidden.entry.Err = sdk.TypeUnknown, &sdk.Error{Kind: sdk.KindTransient, Op: "lstat"}
			r.fs.pass()
			if p := r.look(); p.Unseen == 0 {
				t.Error("every entry was seen")
			}
			restart(r)
			hidden.entry.Type, hidden.entry.Err = sdk.TypeRegular, nil
			r.fs.pass()
			before := r.xtimes()
			if p := r.look(); p.Unseen != 0 {
				t.Errorf("%d directories with entries that are not seen", p.Unseen)
			}
			got := changed(before, r.xtimes())
			if !got["d00/e00/f0"] || !got["d01/e00/f1"] {
				t.Errorf("stamped: %v", got)
			}
			if names := r.m.Links(hidden.entry.ID); len(names) != 2 {
				t.Errorf("names: %q", names)
			}
		})
	}
}

// What a directory below was found at in a listing that broke off does not count
// for a second one in the same pass.
func TestListedTwice(t *testing.T) {
	r := wide(t, native, 5)
	// The index has d00/e00 in doubt, and lists it before it is found.
	r.fs.must("d00/e00").fail = &sdk.Error{Kind: sdk.KindTransient, Op: "list"}
	r.fs.chmod("d00/e00", 0o700)
	r.look()
	r.quiet()
	r.fs.cut = 1 // what is in it is seen, then the listing breaks off
	r.fs.onList = func(p sdk.Path) {
		if p == "d00" {
			r.fs.must("d00/e00").fail = nil
			r.fs.write("d00/e00/f0/file")
		}
	}
	before := r.xtimes()
	r.look()
	r.fs.onList, r.fs.cut = nil, 0
	for range 2 {
		r.fs.pass()
		r.look()
	}
	if got := changed(before, r.xtimes()); !got["d00/e00/f0"] {
		t.Errorf("the change went unseen: %v", got)
	}
}

// A further name of a file that is made during a pass through the whole tree,
// where that was already, is found all the same.
func TestNameMadeBehindThePass(t *testing.T) {
	r := newRigTold(t, names)
	for _, p := range []sdk.Path{"a", "b", "c"} {
		r.fs.mkdir(p)
		r.fs.create(p.Join("file"))
	}
	r.quiet()
	var seen []sdk.Path // directories that are listed, in order
	r.fs.onList = func(p sdk.Path) { seen = append(seen, p) }
	r.fs.pass()
	r.lookAt(Hint{All: true})
	first, last := seen[1], seen[len(seen)-1] // the root is before them
	made := false
	r.fs.onList = func(p sdk.Path) {
		if p == last && !made {
			made = true
			r.fs.link(first.Join("file"), last.Join("more"))
		}
	}
	r.lookAt(Hint{All: true})
	clear(r.fs.dirty) // what told of the link told of the directory of its new name
	r.fs.dirty[r.fs.id(last)] = true
	r.fs.onList = nil
	r.quiet()
	if got := r.m.Links(r.fs.must(first.Join("file")).entry.ID); len(got) != 2 {
		t.Errorf("the names known are %q", got)
	}
	before := r.xtimes()
	r.sweep()
	r.expect("xtimes", before, r.xtimes())
	// A name outside of the tree is not looked for again and again.
	r.fs.must("c/file").entry.Nlink++
	r.fs.write("c/file")
	r.quiet()
	r.fs.pass()
	r.fs.write("c/file")
	if p := r.look(); p.Swept {
		t.Error("a name outside of the tree leads to a look at everything each time")
	}
}
