package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// faults are directories that cannot be listed for now.
type faults struct{ dirs []*object }

// strike makes or ends a fault, or begins a pass that breaks off.
func (f *faults) strike(r *rig, u *mutator) {
	if f == nil {
		return
	}
	switch u.IntN(6) {
	case 0:
		if o := r.fs.must(u.pick(true)); o != r.fs.root {
			o.fail = &sdk.Error{Kind: sdk.KindPermission, Op: "open"}
			f.dirs = append(f.dirs, o)
		}
	case 1:
		f.heal()
	case 2:
		left, onList := u.IntN(6), r.fs.onList
		r.fs.onList = func(p sdk.Path) {
			onList(p)
			if left--; left < 0 {
				r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
			}
		}
		_, _ = r.try(r.tell())
		r.fs.onList, r.fs.broken = onList, nil
	}
}

// forget is for a tree that is another one.
func (f *faults) forget(fs *fakeFS) {
	for _, top := range []*object{fs.root, fs.away} {
		fs.walk(top, sdk.Root, func(o *object, _ sdk.Path) { o.fail = nil })
	}
	if f != nil {
		f.dirs = nil
	}
}

func (f *faults) heal() {
	if f == nil {
		return
	}
	for _, o := range f.dirs {
		o.fail = nil
	}
	f.dirs = nil
}
