package drivertest

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func testMeta(t T, s *suite) {
	dst, tree := s.target(t, nil)
	mkdirAll(t, tree.Dir, "dir")
	put(t, tree.Dir, "file", "x")
	must(t, os.Symlink("nowhere", filepath.Join(tree.Dir, "link")))
	paths := []sdk.Path{"dir", "file", "link"}
	if can(t, dst, sdk.CanSpecial, "fifos") {
		must(t, syscall.Mkfifo(filepath.Join(tree.Dir, "fifo"), 0o600))
		paths = append(paths, "fifo")
	}
	m := sdk.Meta{Mask: sdk.MetaOwner | sdk.MetaPerm | sdk.MetaMtime, Perm: 0o1715, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		Mtime: sdk.Time{Sec: -12345, Nsec: 1}}
	owner := can(t, dst, sdk.CanOwner, "owners")
	if owner {
		m.UID, m.GID, m.Perm = 12345, 54321, 0o6751
	}
	if !can(t, dst, sdk.FineMtime, "nanoseconds") {
		m.Mtime.Nsec = 0
	}
	if s.cfg.From1970 {
		m.Mtime.Sec = -m.Mtime.Sec
	}
	for round := range 2 { // the second changes nothing
		for _, p := range append(paths, ".") {
			res := apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: p, Meta: m})
			if res[0].Lost != 0 {
				t.Errorf("%s: lost %b", p, res[0].Lost)
			}
			e := stat(t, dst, p, 0)
			want := m.Perm
			if e.Type == sdk.TypeSymlink {
				want = e.Perm
			}
			if e.UID != m.UID || e.GID != m.GID || e.Perm != want || e.Mtime != m.Mtime {
				t.Errorf("round %d: %s: %d:%d %o %v", round, p, e.UID, e.GID, e.Perm, e.Mtime)
			}
		}
	}
	before := stat(t, dst, "file", 0)
	apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: "file", Meta: sdk.Meta{Perm: 0o7777, UID: 1, Mtime: sdk.Time{Sec: 1}}})
	if diff := cmp.Diff(before, stat(t, dst, "file", 0)); diff != "" {
		t.Errorf("an empty mask changed:\n%s", diff)
	}
	if !owner {
		// Somebody else's file may not become set-ID here.
		res := apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: "file", Meta: sdk.Meta{Mask: sdk.MetaOwner | sdk.MetaPerm, UID: 0, GID: 0, Perm: 0o6755}})
		if e := stat(t, dst, "file", 0); e.Perm != 0o755 || res[0].Lost != sdk.LostOwner|sdk.LostPerm {
			t.Errorf("mode %o, lost %b", e.Perm, res[0].Lost)
		}
	}
	wantKind(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: "absent", Meta: m}, sdk.KindNotExist)
}

func testMetaXattrs(t T, s *suite) {
	dst, tree := s.target(t, nil)
	if !can(t, dst, sdk.CanXattrs, "extended attributes") {
		return
	}
	mkdirAll(t, tree.Dir, "dir")
	put(t, tree.Dir, "file", "x")
	all := []sdk.Xattr{{Name: "user.a", Value: []byte("1")}, {Name: "user.b\xff", Value: make([]byte, 200)}, {Name: "user.empty", Value: []byte{}}}
	if can(t, dst, sdk.CanTrusted, "trusted attributes") {
		all = append([]sdk.Xattr{
			{Name: "security.capability", Value: []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
			{Name: "trusted.t", Value: []byte("t")},
		}, all...)
		if s.cfg.NoCapabilities {
			all = all[1:]
		}
	}
	if can(t, dst, sdk.CanACL, "access control lists") {
		acl := acl(12345)
		i := 0
		for i < len(all) && all[i].Name < "system" {
			i++
		}
		all = append(all[:i:i], append([]sdk.Xattr{{Name: "system.posix_acl_access", Value: acl}}, all[i:]...)...)
	}
	m := sdk.Meta{Mask: sdk.MetaPerm | sdk.MetaXattrs | sdk.MetaMtime, Perm: 0o670, Mtime: sdk.Time{Sec: 99}, Xattrs: all}
	for _, p := range []sdk.Path{"file", "dir"} {
		if p == "dir" && len(all) > 3 && all[0].Name == "security.capability" {
			m.Xattrs = all[1:] // which only files have
		}
		for _, x := range []sdk.Meta{m, m} {
			if res := apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: p, Meta: x}); res[0].Lost != 0 {
				t.Errorf("%s: lost %b", p, res[0].Lost)
			}
			e := stat(t, dst, p, sdk.FieldXattrs)
			if diff := cmp.Diff(m.Xattrs, e.Xattrs); diff != "" || e.Perm != 0o670 || e.Mtime.Sec != 99 {
				t.Errorf("%s: mode %o, time %v\n%s", p, e.Perm, e.Mtime, diff)
			}
		}
		if p == "dir" {
			l := list(t, dst, sdk.FieldXattrs, "dir")
			if diff := cmp.Diff(m.Xattrs, l.self.Xattrs); diff != "" {
				t.Errorf("own row:\n%s", diff)
			}
			l = list(t, dst, sdk.FieldXattrs, ".")
			if diff := cmp.Diff(m.Xattrs, l.find(t, "dir").Xattrs); diff != "" {
				t.Errorf("row in the parent:\n%s", diff)
			}
		}
		one := sdk.Meta{Mask: sdk.MetaXattrs, Xattrs: []sdk.Xattr{{Name: "user.a", Value: []byte("2")}}}
		apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: p, Meta: one})
		if diff := cmp.Diff(one.Xattrs, stat(t, dst, p, sdk.FieldXattrs).Xattrs); diff != "" {
			t.Errorf("%s: after the others were taken away:\n%s", p, diff)
		}
	}
	// An owner who may not write his own file still sets its attributes.
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSetMeta, Path: "file", Meta: sdk.Meta{Mask: sdk.MetaPerm, Perm: 0o444}},
		sdk.Op{Kind: sdk.OpSetMeta, Path: "file", Meta: sdk.Meta{Mask: sdk.MetaPerm | sdk.MetaXattrs, Perm: 0o444, Xattrs: all[len(all)-1:]}})
	if e := stat(t, dst, "file", sdk.FieldXattrs); len(e.Xattrs) != 1 || e.Perm != 0o444 {
		t.Errorf("mode %o, attributes %v", e.Perm, e.Xattrs)
	}
	// The program's own names are nobody's to set.
	res := apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: "dir", Meta: sdk.Meta{Mask: sdk.MetaXattrs,
		Xattrs: []sdk.Xattr{{Name: "user." + sdk.ReservedXattr + "suite1", Value: []byte("forged")}}}})
	if e := stat(t, dst, "dir", sdk.FieldMark); e.Mark != nil || res[0].Lost != sdk.LostXattrs {
		t.Errorf("mark %q, lost %b", e.Mark, res[0].Lost)
	}
}

// acl is a list that gives user uid something, in the kernel's encoding, for a
// mode of 0670.
func acl(uid uint32) []byte {
	const none = 0xffffffff
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, none}, {0x02, 4, uid}, {0x04, 4, none}, {0x10, 7, none}, {0x20, 0, none}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// testDeniedDirectories works in directories that deny even their owner.
func testDeniedDirectories(t T, s *suite) {
	dst, tree := s.target(t, nil)
	marks := can(t, dst, sdk.CanMarks, "marks")
	for _, mode := range []os.FileMode{0o555, 0, 0o111, 0o444} {
		mkdirAll(t, tree.Dir, "d/sub")
		put(t, tree.Dir, "d/old", "o")
		put(t, tree.Dir, "d/sub/old", "o")
		must(t, os.Chmod(filepath.Join(tree.Dir, "d/sub"), mode))
		must(t, os.Chmod(filepath.Join(tree.Dir, "d"), mode))
		apply(t, dst,
			sdk.Op{Kind: sdk.OpMkdir, Path: "d/new"},
			sdk.Op{Kind: sdk.OpRename, From: "d/sub/old", Path: "d/sub/moved"},
			sdk.Op{Kind: sdk.OpRename, From: "d/old", Path: "d/sub/old"},
			sdk.Op{Kind: sdk.OpSymlink, Path: "d/sub/link", Target: "x", Meta: meta()},
			sdk.Op{Kind: sdk.OpRemove, Path: "d/sub/moved"})
		w, err := dst.Write(t.Context())
		must(t, err)
		must(t, w.Begin(sdk.NewFile{Path: "d/sub/written", Size: 2, Meta: meta()}))
		must(t, w.Data(0, []byte("ab")))
		must(t, w.End(true))
		if res, err := w.Close(); err != nil || res[0].Err != nil {
			t.Fatalf("mode %o: write: %v, %v", mode, err, res)
		}
		if marks {
			apply(t, dst, sdk.Op{Kind: sdk.OpSetMark, Path: "d/sub", Mark: []byte("m")})
		}
		l := list(t, dst, sdk.FieldMark, "d/sub")
		if diff := cmp.Diff([]string{"link", "old", "written"}, l.names()); diff != "" {
			t.Errorf("mode %o: %s", mode, diff)
		}
		d := list(t, dst, sdk.FieldMark, "d")
		if marks && (string(l.self.Mark) != "m" || string(d.find(t, "sub").Mark) != "m") {
			t.Errorf("mode %o: marks %q, %q", mode, l.self.Mark, d.find(t, "sub").Mark)
		}
		if st := sys(t, filepath.Join(tree.Dir, "d")); os.FileMode(st.Mode&0o7777) != mode {
			t.Errorf("mode %o became %o", mode, st.Mode&0o7777)
		}
		if e := stat(t, dst, "d/sub", 0); os.FileMode(e.Perm) != mode {
			t.Errorf("mode %o became %o", mode, e.Perm)
		}
		apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: "d"})
		gone(t, filepath.Join(tree.Dir, "d"))
	}
	// A mode set while the driver works there is the one that stays.
	mkdirAll(t, tree.Dir, "d")
	must(t, os.Chmod(filepath.Join(tree.Dir, "d"), 0o500))
	apply(t, dst,
		sdk.Op{Kind: sdk.OpMkdir, Path: "d/x"},
		sdk.Op{Kind: sdk.OpSetMeta, Path: "d", Meta: sdk.Meta{Mask: sdk.MetaPerm, Perm: 0o550}},
		sdk.Op{Kind: sdk.OpMkdir, Path: "d/y"})
	if st := sys(t, filepath.Join(tree.Dir, "d")); st.Mode&0o7777 != 0o550 {
		t.Errorf("mode %o, want 550", st.Mode&0o7777)
	}
	apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: "d"})
}
