package marker

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// seeds gives the seeds to run: that of GSYNCD_SEED, or n fresh ones.
func seeds(t *testing.T, n int) []uint64 {
	if s := os.Getenv("GSYNCD_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{v}
	}
	var out []uint64
	for range n {
		out = append(out, rand.Uint64())
	}
	return out
}

// mutator changes a tree at random.
type mutator struct {
	*rand.Rand
	fs *fakeFS
	n  int
	// hit holds the directories whose xtime must move.
	hit map[sdk.FileID]bool
	// unmarked are those of them that only the names of files tell of.
	unmarked map[sdk.FileID]bool
}

// pick chooses a directory, or a file if there is one.
func (u *mutator) pick(dir bool) sdk.Path {
	var all []sdk.Path
	u.fs.walk(u.fs.root, sdk.Root, func(o *object, p sdk.Path) {
		if (o.kids != nil) == dir {
			all = append(all, p)
		}
	})
	if len(all) == 0 {
		return ""
	}
	return all[u.IntN(len(all))]
}

func (u *mutator) name(dir sdk.Path) sdk.Path {
	u.n++
	if u.IntN(3) > 0 { // names are used again
		if p := dir.Join(fmt.Sprint("n", u.IntN(6))); u.fs.find(p) == nil {
			return p
		}
	}
	return dir.Join(fmt.Sprint("u", u.n))
}

func (u *mutator) hits(paths ...sdk.Path) {
	for _, p := range paths {
		u.hit[u.fs.id(p)] = true
	}
}

// hitNames hits every directory that has a name of the file.
func (u *mutator) hitNames(id sdk.FileID) {
	u.fs.walk(u.fs.root, sdk.Root, func(o *object, p sdk.Path) {
		for _, k := range o.kids {
			if k.entry.ID == id {
				u.hits(p)
				if k.entry.Nlink > 1 {
					u.unmarked[o.entry.ID] = true
				}
			}
		}
	})
}

// op does one random change.
func (u *mutator) op() {
	dir, file := u.pick(true), u.pick(false)
	switch k := u.IntN(10); {
	case k == 0 || k == 1:
		u.fs.mkdir(u.name(dir))
		u.hits(dir)
		u.hits(dir)
	case k == 2 || file == "":
		u.fs.create(u.name(dir))
		u.hits(dir)
	case k == 3:
		u.fs.write(file)
		u.hitNames(u.fs.id(file))
	case k == 4:
		was := u.fs.must(file).entry.Mtime
		u.fs.write(file)
		u.fs.must(file).entry.Mtime = was
		u.hitNames(u.fs.id(file))
	case k == 5:
		u.fs.chmod(dir, sdk.Perm(u.IntN(0o1000)))
		u.hits(dir)
	case k == 6:
		to := u.name(dir)
		u.fs.link(file, to)
		u.fs.mark(file) // of what is not there when it is looked for, nothing else tells
		u.hitNames(u.fs.id(file))
	case k == 7:
		u.hitNames(u.fs.id(file))
		u.fs.remove(file)
	case k == 8 && u.IntN(3) == 0:
		if dir = u.pick(true); dir != sdk.Root {
			u.hits(dir.Dir())
			u.fs.walk(u.fs.must(dir), dir, func(o *object, _ sdk.Path) {
				if o.kids == nil { // other names of what is deleted lose one
					u.hitNames(o.entry.ID)
					o.entry.Nlink--
					u.fs.touched(o)
				}
			})
			u.fs.remove(dir)
		}
	default:
		from := u.pick(true)
		if u.IntN(4) == 0 {
			from = file
		}
		if from == sdk.Root || dir.Within(from) {
			return
		}
		u.hits(from.Dir(), dir)
		u.fs.rename(from, u.name(dir))
	}
}

// TestModel compares the marker with what is known of every change: exactly the
// directories that changed and those above them have a new xtime, and the moves
// turn the layout that the secondary has into the tree's.
func TestModel(t *testing.T) {
	everyWay(t, 3, func(t *testing.T, seed uint64, by told) {
		r := newRigTold(t, by)
		u := &mutator{Rand: rand.New(rand.NewPCG(seed, 1)), fs: r.fs}
		r.quiet()
		before := byID(r)
		secondary := r.fs.dirs() // where the secondary has what
		for range 120 {
			u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
			for range u.IntN(6) {
				u.op()
			}
			r.fs.pass()
			lost := false // what the secondary did last
			if u.IntN(8) == 0 {
				lost = true
				r.crash()
			} else if u.IntN(8) == 0 {
				r.m.Close()
				r.open()
			}
			// Nobody knows all names of a file after a restart, nor a mark of them.
			if by == native && !r.m.links.filled && len(u.unmarked) > 0 {
				r.sweep()
				before, secondary = byID(r), r.fs.dirs()
				for id := range secondary {
					r.m.Moved(id)
				}
				continue
			}
			p := r.look()
			after, paths := byID(r), r.fs.dirs()
			want := map[sdk.FileID]bool{}
			for id := range paths {
				if _, old := before[id]; !old {
					u.hit[id] = true
				}
			}
			for id := range u.hit {
				if at, ok := paths[id]; ok {
					for want[id] = true; at != sdk.Root; {
						at = at.Dir()
						want[r.fs.id(at)] = true
					}
				}
			}
			got := map[sdk.FileID]bool{}
			for id, x := range after {
				if was, old := before[id]; x != was {
					got[id] = true
					if old && (x.Seq < was.Seq || x.Epoch != was.Epoch) {
						t.Errorf("xtime of %s went from %v to %v", paths[id], was, x)
					}
				}
			}
			if by == native {
				// A mark that comes late, or after a crash once more, may be taken for
				// one of something that does not show.
				maps.DeleteFunc(got, func(id sdk.FileID, _ bool) bool { return !want[id] })
			}
			r.expect("changed", want, got)
			before = after
			if !lost {
				checkMoves(t, p.Moves, secondary, paths)
			}
			if lost || u.IntN(3) > 0 { // the secondary follows
				secondary = paths
				for _, mv := range p.Moves {
					r.m.Moved(mv.ID)
				}
			}
			if t.Failed() {
				return
			}
		}
	})
}

// everyWay runs a test with n seeds and with everything that a marker can be told.
func everyWay(t *testing.T, n int, f func(t *testing.T, seed uint64, by told)) {
	for _, seed := range seeds(t, n) {
		for _, by := range ways() {
			t.Run(fmt.Sprintf("%s %d", by, seed), func(t *testing.T) {
				t.Logf("GSYNCD_SEED=%d", seed)
				f(t, seed, by)
			})
		}
	}
}

func byID(r *rig) map[sdk.FileID]sdk.XTime {
	out := map[sdk.FileID]sdk.XTime{}
	for id := range r.fs.dirs() {
		x, ok := r.m.XTime(id)
		if !ok {
			r.t.Errorf("no xtime for a directory")
		}
		out[id] = x
	}
	return out
}

// checkMoves holds moves against the two layouts.
func checkMoves(t *testing.T, moves []Move, from, to map[sdk.FileID]sdk.Path) {
	t.Helper()
	at := func(layout map[sdk.FileID]sdk.Path, p sdk.Path) (id sdk.FileID) {
		for d, q := range layout {
			if q == p {
				return d
			}
		}
		return id
	}
	told := map[sdk.FileID]bool{}
	for _, m := range moves {
		told[m.ID] = true
		if to[m.ID] != m.To {
			t.Errorf("%v is at %q", m, to[m.ID])
		}
		if was, ok := from[m.ID]; ok && was != m.From {
			t.Errorf("%v was at %q", m, was)
		}
	}
	for id, p := range to {
		was, ok := from[id]
		if !ok || p == sdk.Root {
			continue
		}
		moved := was.Base() != p.Base() || at(from, was.Dir()) != at(to, p.Dir())
		if moved != told[id] {
			t.Errorf("%q is now %q: told %v", was, p, told[id])
		}
	}
}

// replica is a directory of a secondary that copies all of a directory whose
// mark is not the primary's.
type replica struct {
	xtime sdk.XTime
	id    sdk.FileID
	files map[string]int
	dirs  map[string]*replica
}

// crawl brings c up to date with the directory id at p, with the tree changing
// under it, and reports whether it could be marked. It must not be if another
// directory is at p by now: that one's children would be taken for id's.
func (c *replica) crawl(r *rig, p sdk.Path, id sdk.FileID, disturb func()) bool {
	o := r.fs.find(p)
	if o == nil || o.entry.ID != id {
		return false
	}
	x, ok := r.m.XTime(o.entry.ID)
	if ok && c.xtime == x && c.id == o.entry.ID {
		return true
	}
	disturb()
	list := maps.Clone(o.kids)
	c.files = map[string]int{}
	maps.DeleteFunc(c.dirs, func(name string, _ *replica) bool { return list[name] == nil || list[name].kids == nil })
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if list[name].kids == nil {
			c.files[name] = list[name].data
			disturb()
			continue
		}
		if c.dirs[name] == nil {
			c.dirs[name] = &replica{dirs: map[string]*replica{}}
		}
		ok = c.dirs[name].crawl(r, p.Join(name), list[name].entry.ID, disturb) && ok
	}
	if ok {
		c.xtime, c.id = x, o.entry.ID
	}
	return ok
}

func (c *replica) dump(b *strings.Builder, p sdk.Path) {
	for _, n := range slices.Sorted(maps.Keys(c.files)) {
		fmt.Fprintf(b, "%s %d\n", p.Join(n), c.files[n])
	}
	for _, n := range slices.Sorted(maps.Keys(c.dirs)) {
		fmt.Fprintf(b, "%s/\n", p.Join(n))
		c.dirs[n].dump(b, p.Join(n))
	}
}

// primary is the fake tree as a replica would be.
func primary(o *object) *replica {
	c := &replica{files: map[string]int{}, dirs: map[string]*replica{}}
	for n, k := range o.kids {
		if k.kids == nil {
			c.files[n] = k.data
		} else {
			c.dirs[n] = primary(k)
		}
	}
	return c
}

// TestMirrorModel changes the tree during passes and during crawls, many times
// within a tick of its clock, with crashes: once all is quiet and the root's mark
// equal, the trees are equal.
func TestMirrorModel(t *testing.T) {
	everyWay(t, 4, func(t *testing.T, seed uint64, by told) {
		r := newRigTold(t, by)
		u := &mutator{Rand: rand.New(rand.NewPCG(seed, 2)), fs: r.fs}
		r.fs.async = by == native
		copyOf := &replica{dirs: map[string]*replica{}}
		disturb := func() {
			if u.IntN(4) == 0 {
				u.hit, u.unmarked = map[sdk.FileID]bool{}, map[sdk.FileID]bool{}
				u.op()
				r.fs.now += u.Int64N(r.fs.step)
			}
		}
		for range 40 {
			r.fs.onList = func(sdk.Path) {
				disturb()
				r.fs.arrive(u.IntN(8))
			}
			for range 1 + u.IntN(3) {
				r.look()
			}
			r.fs.onList = nil
			switch u.IntN(10) {
			case 0:
				r.crash()
			case 1: // the end of the index is lost
				b := r.index()
				b = b[:len(b)-u.IntN(len(b)/4)]
				// Of the clock's marks none but the last is lost in seconds.
				if st, err := load(bytes.NewReader(b)); err != nil || st.clock == r.m.clock.reserved {
					r.setIndex(b)
				}
				r.crash()
			case 2:
				r.wall = r.wall.Add(-1e12)
			case 3:
				if by == native && u.IntN(3) == 0 {
					r.fs.reindex()
					r.fs.mark(sdk.Root)
				}
			}
			copyOf.crawl(r, sdk.Root, r.fs.root.entry.ID, disturb)
			r.fs.now += u.Int64N(2 * r.fs.step)
		}
		r.fs.arrive(-1)
		r.quiet()
		if !copyOf.crawl(r, sdk.Root, r.fs.root.entry.ID, func() {}) {
			t.Fatal("not marked")
		}
		var want, got strings.Builder
		primary(r.fs.root).dump(&want, sdk.Root)
		copyOf.dump(&got, sdk.Root)
		r.expect("secondary", want.String(), got.String())
		if by != native { // names of files that nobody knows after a restart
			r.same()
		}
		for range 3 {
			r.sweep()
		}
		if n := r.m.tree.len() - ghosts(r.m.tree); n != len(r.fs.dirs()) {
			t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
		}
		r.same()
	})
}

// same compares the index with a fresh one.
func (r *rig) same() {
	r.t.Helper()
	fresh := &rig{t: r.t, fs: r.fs, dir: r.t.TempDir(), wall: r.wall}
	fresh.open()
	defer fresh.m.Close()
	want := fresh.sweep()
	r.expect("index", fresh.state(), r.state())
	got := r.look()
	r.expect("entries", want.Entries, got.Entries)
	if len(r.m.missing) == 0 {
		r.expect("bytes", want.Bytes, got.Bytes)
	}
}

// state describes what an index knows of the tree.
func (r *rig) state() map[sdk.Path]string {
	out := map[sdk.Path]string{}
	for id, p := range r.fs.dirs() {
		n := r.m.tree.at(r.m.tree.byID[id])
		at, _ := r.m.tree.path(r.m.tree.byID[id])
		out[p] = fmt.Sprintf("%v at %s, %x, flags %b", n.id, at, n.digest, n.flags&flagsPending)
	}
	r.fs.walk(r.fs.root, sdk.Root, func(o *object, p sdk.Path) {
		if o.entry.Nlink > 1 && o.kids == nil && r.m.links.filled {
			out[p] = fmt.Sprint(r.m.Links(o.entry.ID))
		}
	})
	return out
}

func ghosts(t *tree) (n int) {
	for _, d := range t.all() {
		if d.is(flagGhost) {
			n++
		}
	}
	return n
}
