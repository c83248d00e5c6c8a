package drivertest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func testOperations(t T, s *suite) {
	dst, tree := s.target(t, nil)
	apply(t, dst,
		sdk.Op{Kind: sdk.OpMkdir, Path: "."},
		sdk.Op{Kind: sdk.OpMkdir, Path: "d"},
		sdk.Op{Kind: sdk.OpMkdir, Path: "d"},
		sdk.Op{Kind: sdk.OpMkdir, Path: "d/e"},
		sdk.Op{Kind: sdk.OpSymlink, Path: "d/link", Target: "/etc/\xff\n", Meta: meta()})
	if st := sys(t, filepath.Join(tree.Dir, "d/e")); st.Mode&0o7777 != 0o700 {
		t.Errorf("a new directory has mode %o", st.Mode&0o7777)
	}
	if got, err := os.Readlink(filepath.Join(tree.Dir, "d/link")); got != "/etc/\xff\n" || err != nil {
		t.Errorf("link to %q, %v", got, err)
	}
	if st := sys(t, filepath.Join(tree.Dir, "d/link")); st.Mtim.Sec != meta().Mtime.Sec {
		t.Errorf("the link's time is %d", st.Mtim.Sec)
	}
	if can(t, dst, sdk.CanSpecial, "fifos and sockets") {
		apply(t, dst,
			sdk.Op{Kind: sdk.OpMknod, Path: "d/fifo", Type: sdk.TypeFIFO, Meta: meta()},
			sdk.Op{Kind: sdk.OpMknod, Path: "d/socket", Type: sdk.TypeSocket, Meta: meta()})
		for name, mode := range map[string]uint32{"fifo": syscall.S_IFIFO, "socket": syscall.S_IFSOCK} {
			st := sys(t, filepath.Join(tree.Dir, "d", name))
			if st.Mode != mode|0o640 || st.Mtim.Sec != meta().Mtime.Sec || st.Mtim.Nsec != int64(meta().Mtime.Nsec) {
				t.Errorf("%s: mode %o, time %v", name, st.Mode, st.Mtim)
			}
		}
	}
	if can(t, dst, sdk.CanDevices, "devices") {
		apply(t, dst, sdk.Op{Kind: sdk.OpMknod, Path: "d/char", Type: sdk.TypeChar, Major: 1, Minor: 3, Meta: meta()})
		if st := sys(t, filepath.Join(tree.Dir, "d/char")); st.Mode != syscall.S_IFCHR|0o640 || st.Rdev != 0x103 {
			t.Errorf("device: mode %o, number %x", st.Mode, st.Rdev)
		}
	}
	apply(t, dst,
		sdk.Op{Kind: sdk.OpRemove, Path: "d/link"},
		sdk.Op{Kind: sdk.OpRemove, Path: "d/link"},
		sdk.Op{Kind: sdk.OpRemove, Path: "no/such"},
		sdk.Op{Kind: sdk.OpRemoveTree, Path: "no/such"},
		sdk.Op{Kind: sdk.OpRemoveTree, Path: "d"},
		sdk.Op{Kind: sdk.OpRemoveTree, Path: "d"})
	gone(t, filepath.Join(tree.Dir, "d"))
	s.ours(t, tree.Dir)
}

func testReplace(t T, s *suite) {
	dst, tree := s.target(t, nil)
	at := filepath.Join(tree.Dir, "x")
	symlink := sdk.Op{Kind: sdk.OpSymlink, Path: "x", Target: "new", Meta: meta()}
	fifo := sdk.Op{Kind: sdk.OpMknod, Path: "x", Type: sdk.TypeFIFO, Meta: meta()}
	put(t, tree.Dir, "x", "old")
	apply(t, dst, symlink)
	if got, _ := os.Readlink(at); got != "new" {
		t.Errorf("link to %q", got)
	}
	symlink.Target = "newer"
	apply(t, dst, symlink)
	if got, _ := os.Readlink(at); got != "newer" {
		t.Errorf("link to %q", got)
	}
	if can(t, dst, sdk.CanSpecial, "fifos") {
		apply(t, dst, fifo)
		if st := sys(t, at); st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
			t.Errorf("mode %o", st.Mode)
		}
	}
	put(t, tree.Dir, "staged", "file")
	apply(t, dst, sdk.Op{Kind: sdk.OpRename, From: "staged", Path: "x"})
	if got := content(t, tree.Dir, "x"); got != "file" {
		t.Errorf("content %q", got)
	}
	s.ours(t, tree.Dir)
}

func testTypeChanges(t T, s *suite) {
	dst, tree := s.target(t, nil)
	put(t, tree.Dir, "file", "f")
	mkdirAll(t, tree.Dir, "dir/sub", "empty", "other")
	put(t, tree.Dir, "other/f", "o")
	changed := sdk.KindChanged
	wantKind(t, dst, sdk.Op{Kind: sdk.OpMkdir, Path: "file"}, changed)
	for _, dir := range []sdk.Path{"dir", "empty"} {
		wantKind(t, dst, sdk.Op{Kind: sdk.OpSymlink, Path: dir, Target: "x", Meta: meta()}, changed)
		wantKind(t, dst, sdk.Op{Kind: sdk.OpLink, Path: dir, From: "file"}, changed)
		wantKind(t, dst, sdk.Op{Kind: sdk.OpRename, Path: dir, From: "file"}, changed)
		wantKind(t, dst, sdk.Op{Kind: sdk.OpRename, Path: dir, From: "other"}, changed)
		wantKind(t, dst, sdk.Op{Kind: sdk.OpRemove, Path: dir}, changed)
		if can(t, dst, sdk.CanSpecial, "fifos") {
			wantKind(t, dst, sdk.Op{Kind: sdk.OpMknod, Path: dir, Type: sdk.TypeFIFO, Meta: meta()}, changed)
		}
	}
	if can(t, dst, sdk.CanMarks, "marks") {
		wantKind(t, dst, sdk.Op{Kind: sdk.OpSetMark, Path: "file", Mark: []byte("m")}, changed)
	}
	if got := content(t, tree.Dir, "file") + content(t, tree.Dir, "other/f"); got != "fo" {
		t.Errorf("content %q", got)
	}
	s.ours(t, tree.Dir)
}

func testRename(t T, s *suite) {
	dst, tree := s.target(t, nil)
	mkdirAll(t, tree.Dir, "a/sub", "b")
	put(t, tree.Dir, "a/f", "1")
	put(t, tree.Dir, "b/f", "2")
	apply(t, dst, sdk.Op{Kind: sdk.OpRename, From: "a/f", Path: "b/f"})
	if got := content(t, tree.Dir, "b/f"); got != "1" {
		t.Errorf("content %q", got)
	}
	gone(t, filepath.Join(tree.Dir, "a/f"))
	// A chain in one call: what a driver keeps open must not lead it astray.
	apply(t, dst,
		sdk.Op{Kind: sdk.OpSymlink, Path: "a/sub/l1", Target: "1", Meta: meta()},
		sdk.Op{Kind: sdk.OpRename, From: "a", Path: "c"},
		sdk.Op{Kind: sdk.OpMkdir, Path: "a"},
		sdk.Op{Kind: sdk.OpMkdir, Path: "a/sub"},
		sdk.Op{Kind: sdk.OpSymlink, Path: "a/sub/l2", Target: "2", Meta: meta()},
		sdk.Op{Kind: sdk.OpSymlink, Path: "c/sub/l3", Target: "3", Meta: meta()})
	for _, p := range []string{"c/sub/l1", "a/sub/l2", "c/sub/l3"} {
		sys(t, filepath.Join(tree.Dir, p))
	}
	// A directory over a file, in one step.
	put(t, tree.Dir, "file", "f")
	apply(t, dst, sdk.Op{Kind: sdk.OpRename, From: "c", Path: "file"})
	sys(t, filepath.Join(tree.Dir, "file/sub/l1"))
	gone(t, filepath.Join(tree.Dir, "c"))
	wantKind(t, dst, sdk.Op{Kind: sdk.OpRename, From: "none", Path: "x"}, sdk.KindNotExist)
	wantKind(t, dst, sdk.Op{Kind: sdk.OpRename, From: "a", Path: "a/sub/below"})
	wantKind(t, dst, sdk.Op{Kind: sdk.OpRename, From: "a", Path: "none/x"}, sdk.KindNotExist)
	sys(t, filepath.Join(tree.Dir, "a/sub"))
}

func testRemoveTree(t T, s *suite) {
	outside := t.TempDir()
	put(t, outside, "precious", "p")
	dst, tree := s.target(t, nil)
	for i := range 5 {
		for j := range 30 {
			mkdirAll(t, tree.Dir, fmt.Sprintf("t/%d/%d", i, j))
			put(t, tree.Dir, fmt.Sprintf("t/%d/%d/f", i, j), "")
		}
	}
	must(t, os.Symlink(outside, filepath.Join(tree.Dir, "t/link")))
	must(t, os.Symlink("..", filepath.Join(tree.Dir, "t/0/up")))
	must(t, os.Symlink(outside, filepath.Join(tree.Dir, "toplink")))
	must(t, os.Chmod(filepath.Join(tree.Dir, "t/1/1"), 0))
	must(t, os.Chmod(filepath.Join(tree.Dir, "t/2"), 0o555))
	apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: "t"}, sdk.Op{Kind: sdk.OpRemoveTree, Path: "toplink"})
	gone(t, filepath.Join(tree.Dir, "t"))
	gone(t, filepath.Join(tree.Dir, "toplink"))
	if content(t, outside, "precious") != "p" {
		t.Error("a link was followed")
	}
	// As deep as a tree may be, and deeper than there are descriptors.
	p := sdk.Path("d")
	var ops []sdk.Op
	for range s.many(s.many(900)) { // each level is as dear as all above it
		ops = append(ops, sdk.Op{Kind: sdk.OpMkdir, Path: p}, sdk.Op{Kind: sdk.OpSymlink, Path: p.Join("l"), Target: "x", Meta: meta()})
		p = p.Join("d")
	}
	for len(ops) > 0 {
		n := min(len(ops), 500)
		apply(t, dst, ops[:n]...)
		ops = ops[n:]
	}
	apply(t, dst, sdk.Op{Kind: sdk.OpRemoveTree, Path: "d"})
	gone(t, filepath.Join(tree.Dir, "d"))
}

func testBadOperations(t T, s *suite) {
	dst, tree := s.target(t, nil)
	put(t, tree.Dir, "f", "f")
	for _, op := range []sdk.Op{
		{},
		{Kind: sdk.OpMkdir, Path: "../x"},
		{Kind: sdk.OpMkdir, Path: "/x"},
		{Kind: sdk.OpMkdir, Path: "a//b"},
		{Kind: sdk.OpMkdir, Path: ""},
		{Kind: sdk.OpRemoveTree, Path: "."},
		{Kind: sdk.OpRename, From: ".", Path: "x"},
		{Kind: sdk.OpRename, From: "../f", Path: "x"},
		{Kind: sdk.OpMknod, Path: "x", Type: sdk.TypeRegular},
		{Kind: sdk.OpSymlink, Path: "x"},
		{Kind: sdk.OpSetMark, Path: ".", Mark: make([]byte, sdk.MaxMark+1)},
	} {
		// A transport may refuse the whole request instead.
		out, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpRemove, Path: "none"}, op})
		if err == nil && (len(out) != 2 || out[0].Err != nil || out[1].Err == nil || out[1].Err.Kind != sdk.KindInput) {
			t.Errorf("%s %q: %+v", op.Kind, op.Path, out)
		}
		if err != nil && sdk.KindOf(err) != sdk.KindInput {
			t.Errorf("%s %q: %v", op.Kind, op.Path, err)
		}
	}
	if content(t, tree.Dir, "f") != "f" {
		t.Error("the tree was changed")
	}
	// One that fails does not stop the next.
	out := tryApply(t, dst, sdk.Op{Kind: sdk.OpMkdir, Path: "no/way"}, sdk.Op{Kind: sdk.OpMkdir, Path: "way"})
	if out[0].Err == nil || out[0].Err.Path != "no/way" || out[1].Err != nil {
		t.Errorf("%+v", out)
	}
}

func testLinks(t T, s *suite) {
	dst, tree := s.target(t, nil)
	if !can(t, dst, sdk.CanHardlinks, "hard links") {
		return
	}
	mkdirAll(t, tree.Dir, "d")
	put(t, tree.Dir, "f", "f")
	put(t, tree.Dir, "d/other", "o")
	must(t, os.Symlink("/etc/hostname", filepath.Join(tree.Dir, "link")))
	apply(t, dst,
		sdk.Op{Kind: sdk.OpLink, From: "f", Path: "d/f2"},
		sdk.Op{Kind: sdk.OpLink, From: "f", Path: "d/other"},
		sdk.Op{Kind: sdk.OpLink, From: "f", Path: "d/other"}, // of itself
		sdk.Op{Kind: sdk.OpLink, From: "link", Path: "link2"})
	if st := sys(t, filepath.Join(tree.Dir, "f")); st.Nlink != 3 {
		t.Errorf("%d links, want 3", st.Nlink)
	}
	if content(t, tree.Dir, "d/other") != "f" {
		t.Error("not replaced")
	}
	if st := sys(t, filepath.Join(tree.Dir, "link2")); st.Mode&syscall.S_IFMT != syscall.S_IFLNK {
		t.Error("a symbolic link was followed")
	}
	// Moving one name of an object onto another leaves one of them.
	apply(t, dst, sdk.Op{Kind: sdk.OpRename, From: "d/f2", Path: "d/other"})
	gone(t, filepath.Join(tree.Dir, "d/f2"))
	wantKind(t, dst, sdk.Op{Kind: sdk.OpLink, From: "none", Path: "x"}, sdk.KindNotExist)
	s.ours(t, tree.Dir)
}
