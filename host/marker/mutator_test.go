package marker

import (
	"fmt"
	"math/rand/v2"

	"github.com/gsyncd/gsyncd-host/sdk"
)

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
