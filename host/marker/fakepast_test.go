package marker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// past is the part of a fakeFS that knows since when everything is as it is, as a
// filesystem does that writes itself anew with each change, and what outlasts a power
// cut.
type past struct {
	gen  uint64 // of changes to come
	kept *image // what was committed last
	// away holds what was moved out of the tree, and may come back.
	away *object
}

// image is a state of the tree.
type image struct {
	root, away *object
	gen, last  uint64
}

// commit makes durable all that happened, and gives the point behind it.
func (f *fakeFS) commit() uint64 {
	copies := map[*object]*object{}
	f.kept = &image{copyOf(f.root, copies), copyOf(f.away, copies), f.gen, f.last}
	f.gen++
	return f.kept.gen
}

func copyOf(o *object, copies map[*object]*object) *object {
	c := copies[o]
	if c != nil {
		return c
	}
	c = &object{}
	*c = *o
	copies[o] = c
	if o.kids != nil {
		c.kids = map[string]*object{}
		for name, k := range o.kids {
			c.kids[name] = copyOf(k, copies)
		}
	}
	return c
}

// cutPower loses all that was not committed. Some filesystems give identities of what
// was lost out again.
func (f *fakeFS) cutPower(anew bool) {
	was := f.kept
	clear(f.made) // who begins anew lists everything
	f.root, f.away, f.gen = was.root, was.away, was.gen+1
	if !anew {
		f.last = was.last
	}
	f.commit()
}

// since gives the directories in which anything changed after a point, those outside
// of the tree among them.
func (f *fakeFS) since(point uint64) (dirs []sdk.FileID) {
	for _, top := range []*object{f.root, f.away} {
		f.walk(top, sdk.Root, func(o *object, _ sdk.Path) {
			told := o.gen > point
			for _, k := range o.kids {
				told = told || k.kids == nil && k.gen > point
			}
			if told && o.kids != nil {
				dirs = append(dirs, o.entry.ID)
			}
		})
	}
	return dirs
}

// looks says of each directory what a listing of it shows.
func (f *fakeFS) looks() map[sdk.FileID]string {
	out := map[sdk.FileID]string{}
	f.walk(f.root, sdk.Root, func(o *object, _ sdk.Path) {
		if o.kids == nil {
			return
		}
		b := fmt.Append(nil, o.entry)
		for _, name := range slices.Sorted(maps.Keys(o.kids)) {
			k := o.kids[name]
			if b = fmt.Append(b, name, k.entry.ID); k.kids == nil {
				b = fmt.Append(b, k.entry)
			}
		}
		out[o.entry.ID] = string(b)
	})
	return out
}

// leave moves a directory out of the tree, and comeBack the first one back in.
func (f *fakeFS) leave(p sdk.Path) {
	f.last++ // a name that nothing had
	o, dir := f.must(p), f.must(p.Dir())
	delete(dir.kids, p.Base())
	f.touchedDir(dir)
	f.event(p.Dir())
	f.away.kids[strconv.FormatUint(f.last, 10)] = o
}

func (f *fakeFS) comeBack(name string, to sdk.Path) {
	o := f.away.kids[name]
	delete(f.away.kids, name)
	f.put(to, o)
}

// teller gives hints from the history of a fakeFS, as a detector does that can.
type teller struct {
	begun bool
	last  uint64 // the point that was told of last
	// events says that hints without a point are from a watcher, who tells of one
	// name alone of a file with several.
	events bool
}

// hint tells of all that changed since the point that the index keeps, or since the one
// that was told of last. Not every hint is worth a point, or a start one of this kind.
func (l *teller) hint(r *rig) Hint {
	u := r.dice
	switch kept := r.m.Point(); {
	case !l.begun && u.IntN(12) == 0: // another detector
		l.begun, l.last = true, r.fs.commit()
		return Hint{All: true}
	case !l.begun && kept == "":
		l.begun, l.last = true, r.fs.commit()
		return Hint{All: true, Until: l.point()}
	case !l.begun:
		since, err := strconv.ParseUint(string(kept), 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		l.begun, l.last = true, r.fs.commit()
		return Hint{Dirs: r.fs.since(since), Since: kept, Until: l.point()}
	case l.events && u.IntN(2) == 0:
		dirs := slices.SortedFunc(maps.Keys(r.fs.dirty), func(a, b sdk.FileID) int { return cmp.Compare(a.Ino, b.Ino) })
		clear(r.fs.dirty)
		return Hint{Dirs: dirs}
	case u.IntN(2) == 0:
		return Hint{Dirs: r.fs.since(l.last)}
	}
	return l.pin(r)
}

// pin tells of all that changed since the point that was told of last, with one.
func (l *teller) pin(r *rig) Hint {
	clear(r.fs.dirty)
	since := l.last
	l.last = r.fs.commit()
	return Hint{Dirs: r.fs.since(since), Until: l.point()}
}

func (l *teller) point() Point { return Point(fmt.Sprint(l.last)) }
