package drivertest

import (
	"bytes"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func testMarks(t T, s *suite) {
	dst, tree := s.target(t, nil)
	if !can(t, dst, sdk.CanMarks, "marks") {
		return
	}
	mkdirAll(t, tree.Dir, "d/sub", "none")
	long := bytes.Repeat([]byte{0, 255}, sdk.MaxMark/2)
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSetMark, Path: ".", Mark: []byte{0}},
		sdk.Op{Kind: sdk.OpSetMark, Path: "d", Mark: []byte("first")},
		sdk.Op{Kind: sdk.OpSetMark, Path: "d", Mark: []byte("second\x00\xff")},
		sdk.Op{Kind: sdk.OpSetMark, Path: "d/sub", Mark: long})
	dirs := scan(t, dst, sdk.FieldMark|sdk.FieldXattrs, ".", "d", "d/sub", "none")
	for i, want := range [][]byte{{0}, []byte("second\x00\xff"), long, nil} {
		if got := dirs[i].self.Mark; !bytes.Equal(got, want) {
			t.Errorf("directory %d: mark %q, want %q", i, got, want)
		}
		if x := dirs[i].self.Xattrs; len(x) != 0 {
			t.Errorf("directory %d shows its mark as attribute: %v", i, x)
		}
	}
	if got := dirs[0].find(t, "d").Mark; !bytes.Equal(got, []byte("second\x00\xff")) {
		t.Errorf("in its parent's listing: mark %q", got)
	}
	if got := dirs[0].find(t, "none").Mark; got != nil {
		t.Errorf("mark %q, want none", got)
	}
	if e := stat(t, dst, "d/sub", sdk.FieldMark); !bytes.Equal(e.Mark, long) {
		t.Errorf("by Stat: mark %q", e.Mark)
	}
	if e := stat(t, dst, "d", 0); e.Mark != nil {
		t.Errorf("mark %q, not asked for", e.Mark)
	}
	// Setting all attributes leaves the mark where it is, and so does a move.
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSetMeta, Path: "d", Meta: sdk.Meta{Mask: sdk.MetaPerm | sdk.MetaXattrs | sdk.MetaMtime, Perm: 0o750}},
		sdk.Op{Kind: sdk.OpRename, From: "d", Path: "moved"})
	if e := stat(t, dst, "moved", sdk.FieldMark); !bytes.Equal(e.Mark, []byte("second\x00\xff")) {
		t.Errorf("after a move: mark %q", e.Mark)
	}
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSetMark, Path: "moved"},
		sdk.Op{Kind: sdk.OpSetMark, Path: "none"})
	if e := stat(t, dst, "moved", sdk.FieldMark); e.Mark != nil {
		t.Errorf("removed, yet the mark is %q", e.Mark)
	}
	wantKind(t, dst, sdk.Op{Kind: sdk.OpSetMark, Path: "absent", Mark: []byte("m")}, sdk.KindNotExist)

	// Another mirror's marks are not seen.
	must(t, dst.Close())
	req := s.request(t, tree, sdk.Secondary)
	req.MarkKey = "suite2"
	other, err := s.driver.OpenTarget(t.Context(), req)
	must(t, err)
	defer other.Close()
	l := list(t, other, sdk.FieldMark|sdk.FieldXattrs, "moved")
	if l.self.Mark != nil || l.find(t, "sub").Mark != nil || len(l.find(t, "sub").Xattrs) != 0 {
		t.Errorf("another key shows %q, %q", l.self.Mark, l.find(t, "sub").Mark)
	}
}
