package marker

import (
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// While something is open that only memory knows, or below what could not be listed,
// the earlier point stays.
func TestPointStays(t *testing.T) {
	for what, c := range map[string]struct {
		open, end func(*rig)
		all       bool
	}{
		"not listed": {
			open: func(r *rig) {
				r.fs.must("d02").fail = &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
				r.fs.chmod("d02", 0o700)
			},
			end: func(r *rig) { r.fs.must("d02").fail = nil }},
		"missing": {
			open: func(r *rig) { r.fs.leave("d03/e00") },
			end:  func(r *rig) { r.fs.chmod("d01", 0o700) }},
		"broken off": {
			open: func(r *rig) {
				r.fs.chmod("d04", 0o700)
				r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
			},
			end: func(r *rig) { r.fs.broken = nil }},
		"names waited for": {
			all: true,
			open: func(r *rig) {
				r.fs.must("d06/e00/f6/file").entry.Nlink++
				r.fs.write("d06/e00/f6/file")
			},
			end: func(*rig) {}},
		"gone before it was listed": {
			open: func(r *rig) {
				r.fs.mkdirAll("d05/new")
				r.behind("d05/new", func() { r.fs.remove("d05/new") })
			},
			end: func(*rig) {}},
	} {
		t.Run(what, func(t *testing.T) {
			r := resumed(t, 50)
			r.resume()
			r.durable()
			was := r.m.Point()
			c.open(r)
			r.fs.pass()
			hint := Hint{All: c.all, Dirs: r.fs.since(r.teller.last), Until: "later"}
			_, _ = r.try(hint)
			r.expect("point", was, r.m.Point())
			r.crash()
			r.expect("point", was, r.m.Point())
			c.end(r)
			r.lookAt(r.sinceThen())
			r.fs.pass()
			for range 3 {
				r.look()
			}
			if r.m.Point() == was {
				t.Error("no later point is kept")
			}
			r.quiet()
			r.same()
		})
	}
}

// A directory that cannot be listed, and of which nothing in it is known, keeps no point
// from being kept: each start looks at it again. Of one in which directories were
// known that is said once.
func TestPointBesideUnlisted(t *testing.T) {
	denied := &sdk.Error{Kind: sdk.KindPermission, Op: "list"}
	r := wide(t, points, 50)
	r.fs.mkdir("d02/closed")
	r.fs.must("d02/closed").fail = denied
	r.quiet()
	r.pin()
	for range 2 {
		if p := r.resume(); p.Swept || p.Unlisted != 1 || len(p.Problems) != 1 || p.Problems[0].Path != "d02/closed" || r.fs.listed > 5 {
			t.Errorf("a start lists %d: %+v", r.fs.listed, p)
		}
		r.fs.write("d03/e00/f3/file")
		r.fs.pass()
		r.pin()
		r.quiet()
	}
	// It is listed, and a start that does not come to what is new in it is made up for.
	r.fs.mkdirAll("d02/closed/new/deep")
	r.fs.create("d02/closed/new/deep/file")
	r.fs.pass()
	r.pin()
	r.fs.must("d02/closed").fail = nil
	r.crash()
	r.fs.onList = func(p sdk.Path) {
		if p == "d02/closed/new" {
			r.fs.broken = &sdk.Error{Kind: sdk.KindGone, Op: "scan"}
		}
	}
	if _, err := r.try(r.sinceThen()); err == nil {
		t.Fatal("the pass did not break off")
	}
	r.fs.onList, r.fs.broken = nil, nil
	if p := r.resume(); p.Swept || p.Unlisted != 0 {
		t.Errorf("%+v", p)
	}
	r.quiet()
	r.same()
	r.pin()

	was := r.m.Point()
	r.fs.must("d02/closed").fail = denied
	r.fs.chmod("d02/closed", 0o700)
	r.fs.pass()
	r.lookAt(r.teller.pin(r))
	r.fs.write("d02/closed/new/deep/file")
	r.fs.pass()
	r.lookAt(r.teller.pin(r))
	r.expect("point", was, r.m.Point())
	if said := strings.Count(r.log.String(), "directory=d02/closed\n"); said != 1 {
		t.Errorf("it is said %d times: %s", said, &r.log)
	}
	r.fs.must("d02/closed").fail = nil
	r.quiet()
	r.pin()
	r.same()
}
