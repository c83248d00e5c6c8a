package marker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

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
	list, rows := maps.Clone(o.kids), map[string]sdk.Entry{}
	w, self := NewWitness(r.last), r.fs.row(o, ".", 0)
	w.Begin(&self)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		e := r.fs.row(list[name], name, 0)
		rows[name] = e
		w.Entry(&e)
	}
	doubt := r.m.Differs(id, w)
	c.files = map[string]int{}
	maps.DeleteFunc(c.dirs, func(name string, _ *replica) bool { return list[name] == nil || list[name].kids == nil })
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if list[name].kids == nil {
			c.files[name] = list[name].data
			listed, later := rows[name], r.fs.row(list[name], name, 0)
			doubt = doubt || !Alike(&listed, &later)
			disturb()
			continue
		}
		if c.dirs[name] == nil {
			c.dirs[name] = &replica{dirs: map[string]*replica{}}
		}
		ok = c.dirs[name].crawl(r, p.Join(name), list[name].entry.ID, disturb) && ok
	}
	// A power cut may take back what was copied here and changed since the last look.
	// Nobody but who copies can know.
	if doubt {
		if err := r.m.Doubt([]sdk.FileID{id}); err != nil {
			r.t.Error(err)
		}
	}
	if ok {
		c.xtime, c.id = x, o.entry.ID
	}
	return ok
}

// dump lists what there is, without the content of some files.
func (c *replica) dump(b *strings.Builder, p sdk.Path, hidden map[sdk.Path]bool) {
	for _, n := range slices.Sorted(maps.Keys(c.files)) {
		data := c.files[n]
		if hidden[p.Join(n)] {
			data = 0
		}
		fmt.Fprintf(b, "%s %d\n", p.Join(n), data)
	}
	for _, n := range slices.Sorted(maps.Keys(c.dirs)) {
		fmt.Fprintf(b, "%s/\n", p.Join(n))
		c.dirs[n].dump(b, p.Join(n), hidden)
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
