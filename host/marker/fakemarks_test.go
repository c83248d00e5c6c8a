package marker

import (
	"context"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// marks is the part of a fakeFS that tells of changes as they are made: by native
// xtimes, as Gluster keeps them.
type marks struct {
	native bool
	index  sdk.VolumeMark
	value  uint32
	// skip is asked before each step of a mark up the tree; true ends it there,
	// and so makes a hole.
	skip func() bool
	// late holds the steps that are still to come, if async: a mark reaches a
	// directory before those above it, and the root last.
	async bool
	late  []lateMark
	stats int
	watch
	// statErr is the answer to Stat.
	statErr *sdk.Error
}

type lateMark struct {
	chain []*object // from the bottom up
	value sdk.NativeXTime
}

// mark gives native xtimes to p, which is there, and all above it.
func (f *fakeFS) mark(p sdk.Path) {
	var chain []*object
	for o := f.must(p); ; o = f.must(p) {
		chain = append(chain, o)
		if p == sdk.Root {
			break
		}
		p = p.Dir()
	}
	f.value++
	f.late = append(f.late, lateMark{chain, sdk.NativeXTime{Sec: 1000 + f.value/7, Usec: f.value}})
	if !f.async {
		f.arrive(-1)
	}
}

// arrive lets so many steps of late marks happen, those of the oldest first, or
// all with -1.
func (f *fakeFS) arrive(steps int) {
	for ; steps != 0 && len(f.late) > 0; steps-- {
		m := &f.late[0]
		if f.skip != nil && f.skip() {
			m.chain = nil
		} else {
			m.chain[0].native = m.value
			m.chain = m.chain[1:]
		}
		if len(m.chain) == 0 {
			f.late = f.late[1:]
		}
	}
}

// reindex begins the index anew.
func (f *fakeFS) reindex() {
	f.late = nil
	f.walk(f.root, sdk.Root, func(o *object, _ sdk.Path) { o.native = sdk.NativeXTime{} })
	f.value++
	f.index.Since.Sec = f.value
}

// natively makes the tree one with native xtimes.
func (f *fakeFS) natively() {
	f.native = true
	f.index.Volume = sdk.UUID{1, 2, 3}
	f.reindex()
	f.mark(sdk.Root)
}

func (f *fakeFS) row(o *object, name string, fields sdk.Fields) sdk.Entry {
	e := o.entry
	e.Name = name
	if fields&sdk.FieldNative != 0 && o.kids != nil || fields&sdk.FieldEntryNative != 0 {
		e.Native = o.native
	}
	return e
}

func (f *fakeFS) Info() sdk.Info {
	if !f.native {
		return sdk.Info{}
	}
	return sdk.Info{Features: sdk.HasNative, Volume: f.index.Volume}
}

func (f *fakeFS) Beacon(context.Context) (sdk.Beacon, error) {
	return sdk.Beacon{Now: f.ctime(), Window: time.Duration(f.step), Index: f.index}, nil
}

func (f *fakeFS) Stat(_ context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	f.stats++
	if len(paths) != 1 || paths[0] != sdk.Root || fields != sdk.FieldNative || !f.native {
		f.t.Errorf("stat of %q, fields %b", paths, fields)
	}
	if f.statErr != nil {
		return nil, f.statErr
	}
	return []sdk.Entry{f.row(f.root, ".", fields)}, nil
}
