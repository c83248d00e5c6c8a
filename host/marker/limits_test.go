package marker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestDeep(t *testing.T) {
	r := newRig(t)
	const levels = 5000
	dir := r.fs.root
	for range levels {
		kid := r.fs.object(sdk.TypeDir)
		dir.kids["d"] = kid
		dir = kid
	}
	leaf := r.fs.object(sdk.TypeRegular)
	dir.kids["f"] = leaf
	r.fs.pass()
	p := r.look()
	if p.Dirs != levels+1 {
		t.Fatalf("%d directories", p.Dirs)
	}
	leaf.entry.Ctime = r.fs.ctime()
	r.fs.pass()
	if q := r.look(); q.Root == p.Root {
		t.Error("change not seen")
	}
	r.crash()
	if q := r.look(); q.Changed || q.Dirs != levels+1 {
		t.Errorf("after a crash: %+v", q)
	}
}

func TestTooDeep(t *testing.T) {
	r := newRig(t)
	dir, name := r.fs.root, strings.Repeat("n", 250)
	for range 200 {
		kid := r.fs.object(sdk.TypeDir)
		dir.kids[name] = kid
		dir = kid
	}
	r.fs.pass()
	p := r.look()
	if p.Unlisted != 1 || p.Problems[0].Err.Kind != sdk.KindInput || p.Problems[0].Path.Validate() != nil {
		t.Errorf("pass: %d unlisted", p.Unlisted)
	}
	if p := r.look(); p.Changed {
		t.Error("spins")
	}
}

func TestWide(t *testing.T) {
	r := newRig(t)
	for i := range 3000 {
		r.fs.root.kids[fmt.Sprintf("d%04d", i)] = r.fs.object(sdk.TypeDir)
		r.fs.root.kids[fmt.Sprintf("f%04d", i)] = r.fs.object(sdk.TypeRegular)
	}
	r.quiet()
	before := r.xtimes()
	r.fs.scans = 0
	r.fs.create("d2999/f")
	r.quiet()
	r.expect("changed", set(".", "d2999"), changed(before, r.xtimes()))
	if r.fs.scans > 20 {
		t.Errorf("%d calls for 3001 directories", r.fs.scans)
	}
}

func TestProblemsAreCapped(t *testing.T) {
	r := newRig(t)
	for i := range MaxProblems + 50 {
		o := r.fs.object(sdk.TypeDir)
		o.fail = &sdk.Error{Kind: sdk.KindPermission}
		r.fs.root.kids[fmt.Sprint(i)] = o
	}
	if p := r.look(); len(p.Problems) != MaxProblems || p.Unlisted != MaxProblems+50 {
		t.Errorf("%d problems of %d", len(p.Problems), p.Unlisted)
	}
}
