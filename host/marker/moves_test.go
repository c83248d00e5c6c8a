package marker

import (
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func byFrom(moves []Move) map[sdk.Path]sdk.Path {
	out := map[sdk.Path]sdk.Path{}
	for _, m := range moves {
		out[m.From] = m.To
	}
	return out
}

// step is a change of the tree and the moves that the pass after it reports.
type step struct {
	do    func(r *rig)
	want  map[sdk.Path]sdk.Path
	moved bool // the secondary does them all
}

func mv(pairs ...sdk.Path) func(r *rig) {
	return func(r *rig) {
		for i := 0; i < len(pairs); i += 2 {
			r.fs.rename(pairs[i], pairs[i+1])
		}
	}
}

func to(pairs ...sdk.Path) map[sdk.Path]sdk.Path {
	out := map[sdk.Path]sdk.Path{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func TestMoves(t *testing.T) {
	for name, steps := range map[string][]step{
		"simple":         {{do: mv("a", "z"), want: to("a", "z"), moved: true}, {want: to()}},
		"other parent":   {{do: mv("a/b", "d/e/b"), want: to("a/b", "d/e/b"), moved: true}, {want: to()}},
		"swap":           {{do: mv("a", "t", "d", "a", "t", "d"), want: to("a", "d", "d", "a"), moved: true}, {want: to()}},
		"chain":          {{do: mv("d", "q", "a", "d"), want: to("d", "q", "a", "d")}},
		"nested":         {{do: mv("a/b", "d/b", "d", "y"), want: to("a/b", "y/b", "d", "y")}},
		"out of a moved": {{do: mv("a", "z", "z/b", "b"), want: to("a", "z", "a/b", "b")}},
		"child and parent exchanged": {
			{do: mv("a/b", "t", "a", "t/a", "t", "b"), want: to("a/b", "b", "a", "b/a"), moved: true},
			{want: to()},
		},
		"again before it is done": {
			{do: mv("a", "z"), want: to("a", "z")},
			{do: mv("z", "d/z"), want: to("a", "d/z")},
			{do: mv("d", "y"), want: to("a", "y/z", "d", "y"), moved: true},
			{do: mv("y/z/b", "b"), want: to("y/z/b", "b")},
		},
		"back before it is done": {
			{do: mv("a", "z"), want: to("a", "z")},
			{do: mv("z", "a"), want: to()},
		},
		"moved and deleted": {
			{do: mv("a", "z"), want: to("a", "z")},
			{do: func(r *rig) { r.fs.remove("z") }, want: to()},
		},
		"out of a deleted one": {
			{do: func(r *rig) { mv("a/b", "b")(r); r.fs.remove("a") }, want: to("a/b", "b")},
			{want: to("a/b", "b")},
			{want: to("a/b", "b")},
			{want: to("a/b", "b"), moved: true},
			{want: to()},
		},
		"out of one moved and deleted": {
			{do: mv("a", "z", "z/b/c", "c"), want: to("a", "z", "a/b/c", "c")},
			{do: func(r *rig) { r.fs.remove("z") }, want: to("a/b/c", "c")},
			{want: to("a/b/c", "c")},
			{want: to("a/b/c", "c")},
		},
		"into a new one": {
			{do: func(r *rig) { r.fs.mkdir("n"); mv("a", "n/a")(r) }, want: to("a", "n/a")},
		},
		"same path in another directory": {
			{do: func(r *rig) { mv("a", "z")(r); r.fs.mkdir("a"); mv("z/b", "a/b")(r) }, want: to("a", "z", "a/b", "a/b")},
		},
		"renamed files are none": {{do: mv("a/x/f", "f2"), want: to()}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				r := small(t)
				for i, s := range steps {
					r.fs.pass()
					if s.do != nil {
						s.do(r)
					}
					p := r.quiet()
					if d := byFrom(p.Moves); len(d) != len(p.Moves) {
						t.Errorf("step %d: two moves from one place: %v", i, p.Moves)
					}
					r.expect("moves", s.want, byFrom(p.Moves))
					for _, m := range p.Moves {
						r.expect("identity at its new place", r.fs.id(m.To), m.ID)
						if s.moved {
							r.m.Moved(m.ID)
						}
					}
					r.m.Moved(sdk.FileID{Ino: 12345})
					if restart && s.moved {
						if err := r.m.Close(); err != nil {
							t.Fatal(err)
						}
						r.open()
					} else if restart {
						r.crash()
					}
				}
				r.quiet()
				r.quiet()
				for id := range r.m.moves {
					delete(r.m.moves, id)
				}
				r.quiet()
				r.quiet()
				if n := r.m.tree.len(); n != len(r.fs.dirs()) {
					t.Errorf("%d directories in the index, %d in the tree", n, len(r.fs.dirs()))
				}
			})
		}
	}
}

// A move that is done while the next pass finds the directory elsewhere again
// is from the place where it was done to.
func TestMovedDuringPass(t *testing.T) {
	r := small(t)
	id := r.fs.id("a")
	mv("a", "y")(r)
	r.expect("moves", to("a", "y"), byFrom(r.quiet().Moves))
	mv("y", "z")(r)
	r.fs.onList = func(p sdk.Path) {
		if p == "z" {
			r.m.Moved(id)
		}
	}
	r.expect("moves", to("y", "z"), byFrom(r.quiet().Moves))
}

// A directory that moves from what the pass has yet to list to what it has
// listed is missed by it, and must not be new to the next one.
func TestMovedBehindThePass(t *testing.T) {
	r := small(t)
	r.fs.pass()
	before := r.xtimes()
	r.fs.onList = func(p sdk.Path) {
		if p == "d" && r.fs.find("d/e") != nil {
			r.fs.rename("d/e", "e")
		}
	}
	r.look()
	r.fs.onList = nil
	p := r.quiet()
	r.expect("moves", to("d/e", "e"), byFrom(p.Moves))
	r.expect("xtime", before["d/e"], r.xtimes()["e"])
}
