package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

var (
	root    = sdk.FileID{Ino: 1, Gen: 2}
	changed = sdk.Time{Sec: 1000}
)

func file(size, mtime int64) catalog.Item {
	return catalog.Item{Entry: sdk.Entry{Type: sdk.TypeRegular, Perm: 0o600, Size: size, Mtime: sdk.Time{Sec: mtime}}, Version: fmt.Sprint(size)}
}

func dir() catalog.Item {
	return catalog.Item{Entry: sdk.Entry{Type: sdk.TypeDir, Perm: 0o700, Mtime: sdk.Time{Sec: 5}}}
}

func symlink(to string) catalog.Item {
	return catalog.Item{Entry: sdk.Entry{Type: sdk.TypeSymlink, Target: to}}
}

// all lists a tree: every listed path with its type, and problems with their text.
func all(t testing.TB, tree *catalog.Tree) map[sdk.Path]string {
	t.Helper()
	out := map[sdk.Path]string{}
	r := &recorder{todo: []sdk.Path{sdk.Root}, each: func(p sdk.Path, e *sdk.Entry) {
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		out[p] = e.Type.String()
		if e.Type != sdk.TypeRegular {
			return
		}
		if _, _, err := tree.File(p); err != nil {
			if out[p] = err.Msg; err.Path != p {
				t.Errorf("%s: %+v", p, err)
			}
		}
	}}
	for len(r.todo) > 0 {
		r.dirs, r.todo = r.todo, nil
		if err := tree.Scan(t.Context(), sdk.ScanRequest{Dirs: r.dirs}, r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

type recorder struct {
	dirs, todo []sdk.Path
	open       sdk.Path
	last       string
	each       func(sdk.Path, *sdk.Entry)
	ends       []*sdk.Error
}

func (r *recorder) BeginDir(i int, e *sdk.Entry) error {
	r.open, r.last = r.dirs[i], ""
	r.each(r.open, e)
	return nil
}

func (r *recorder) Entry(e *sdk.Entry) error {
	if e.Name <= r.last {
		return fmt.Errorf("%q behind %q", e.Name, r.last)
	}
	r.last = e.Name
	p := r.open.Join(e.Name)
	r.each(p, e)
	if e.Type == sdk.TypeDir {
		r.todo = append(r.todo, p)
	}
	return nil
}

func (r *recorder) EndDir(_ int, err *sdk.Error) error { r.ends = append(r.ends, err); return nil }

func TestTree(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 7, 8)
	b.Add("d/e/f", file(1, 100))
	b.Add("d/g", file(2, 200))
	b.Add("./d//g/", file(3, 300)) // the same name once more
	b.Add("l", symlink("d"))
	b.Add("own/", dir())
	b.Add("own/x", file(4, 50))
	b.Link("d/h", "d/e/f")
	tree := b.Tree()
	want := map[sdk.Path]string{".": "directory", "d": "directory", "d/e": "directory", "d/e/f": "file", "d/g": "file", "d/h": "file", "l": "symlink", "own": "directory", "own/x": "file"}
	if diff := cmp.Diff(want, all(t, tree)); diff != "" {
		t.Fatal(diff)
	}
	e, err := tree.Stat(t.Context(), []sdk.Path{".", "d", "d/e/f", "d/h", "d/g", "own", "none", "l/x", "d/none/x", "l"}, sdk.FieldTarget)
	if err != nil {
		t.Fatal(err)
	}
	if e[0].ID != root || e[0].Name != "." || e[0].Mtime.Sec != 300 || e[0].UID != 7 || e[0].GID != 8 || e[0].Perm != 0o755 {
		t.Errorf("the root is %+v", e[0])
	}
	if e[1].ID != catalog.DirID("d") || e[1].Mtime.Sec != 300 || e[5].Mtime.Sec != 5 || e[5].Perm != 0o700 {
		t.Errorf("directories are %+v and %+v", e[1], e[5])
	}
	if e[2].ID != e[3].ID || e[2].Nlink != 2 || e[4].Nlink != 1 || e[4].Size != 3 || e[4].ID != catalog.FileID("d/g", "3") || e[4].Ctime != changed {
		t.Errorf("files are %+v, %+v, %+v", e[2], e[3], e[4])
	}
	if e[6].Err.Kind != sdk.KindNotExist || e[7].Err.Kind != sdk.KindChanged || e[8].Err.Kind != sdk.KindNotExist || e[9].Target != "d" {
		t.Errorf("%v, %v, %v, %+v", e[6].Err, e[7].Err, e[8].Err, e[9])
	}
}

func TestOddLists(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 0, 0)
	for _, name := range []string{"../up", "/abs", "a/../../b", "", strings.Repeat("n", 256), "nul\x00", "..", "...", ".gsyncd-host.x/.."} {
		b.Add(name, file(1, 1))
	}
	b.Add("file", file(1, 1))
	b.Add("file/below", file(1, 1))
	b.Add("link", symlink("/etc"))
	b.Add("link/passwd", file(1, 1))
	b.Add("full/x", file(1, 1))
	b.Add("full", file(1, 1))
	b.Add(".", file(1, 1))
	b.Add("turned", file(1, 1))
	b.Add("turned", dir())
	b.Add("turned/in", file(1, 1))
	b.Add("%2Fabs", file(1, 1)) // a name that a problem would have had
	b.Link("one", "none")
	b.Link("two", "full")
	b.Link("../three", "file")
	b.Link("file", "file")
	got := all(t, b.Tree())
	for p, want := range map[sdk.Path]string{
		"..%2Fup": "leads out", "%2Fabs": "file", "%2Fabs~2": "is absolute", "a%2F..%2F..%2Fb": "leads out", "%": "has no name", sdk.Path(strings.Repeat("n", 220)): "255",
		"nul%00": "NUL", "%2E%2E": "leads out", "...": "file", "%.gsyncd-host.x%2F..": "leads out", "file": "file", "file%2Fbelow": "no directory", "link": "symlink", "link%2Fpasswd": "no directory",
		"full": "directory", "full/x": "file", "full~2": "directory as well", "%2E": "root", "turned": "directory", "turned/in": "file",
		"one": "not there", "two": "hard link to the directory", "..%2Fthree": "leads out", "file~2": "itself", ".": "directory",
	} {
		if !strings.Contains(got[p], want) {
			t.Errorf("%q is %q, want %q", p, got[p], want)
		}
		delete(got, p)
	}
	if len(got) > 0 {
		t.Errorf("also %v", got)
	}
}

func TestManyBad(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 0, 0)
	for i := range 1000 {
		b.Bad(fmt.Sprint(i), "is bad")
	}
	if b.Len() != 1001 {
		t.Errorf("%d names", b.Len())
	}
	got := all(t, b.Tree())
	if len(got) != 102 || !strings.HasPrefix(got["more"], "900 more") {
		t.Errorf("%d entries, %q", len(got), got["more"])
	}
}

// TestUnreadable: an entry that cannot be served is a file, whatever it was said to
// be, so that the host need not take it for a directory.
func TestUnreadable(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 0, 0)
	b.Add("x", catalog.Item{Entry: sdk.Entry{Type: sdk.TypeSymlink, Perm: 0o700, Err: &sdk.Error{Kind: sdk.KindUnsupported, Msg: "no"}}})
	b.Bad("../y", "is bad")
	e, err := b.Tree().Stat(t.Context(), []sdk.Path{"x", "..%2Fy"}, 0)
	if err != nil || e[0].Type != sdk.TypeRegular || e[0].Err != nil || e[0].ID.IsZero() || e[1].Type != sdk.TypeRegular || e[1].Err != nil {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestFile(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 0, 0)
	it := file(1, 1)
	it.Ref = 42
	b.Add("f", it)
	b.Add("d/", dir())
	b.Add("bad", catalog.Item{Entry: sdk.Entry{Err: &sdk.Error{Kind: sdk.KindPermission, Msg: "no"}}})
	tree := b.Tree()
	if e, ref, err := tree.File("f"); err != nil || ref != 42 || e.Name != "f" {
		t.Errorf("%+v, %d, %v", e, ref, err)
	}
	for p, want := range map[sdk.Path]sdk.Kind{"d": sdk.KindChanged, ".": sdk.KindChanged, "none": sdk.KindNotExist, "f/x": sdk.KindChanged, "bad": sdk.KindPermission, "../x": sdk.KindInput} {
		if _, _, err := tree.File(p); err == nil || err.Kind != want {
			t.Errorf("%s: %v, want %s", p, err, want)
		}
	}
}

// TestCarry: what is as before has its earlier change time; all else the new one.
func TestCarry(t *testing.T) {
	build := func(at int64, items map[string]catalog.Item) *catalog.Tree {
		b := catalog.NewBuilder(root, sdk.Time{Sec: at}, 0, 0)
		for _, name := range slices.Sorted(maps.Keys(items)) {
			b.Add(name, items[name])
		}
		return b.Tree()
	}
	other := file(1, 1)
	other.Version = "other"
	mode := file(1, 1)
	mode.Entry.Perm = 0o640
	old := build(10, map[string]catalog.Item{"d/same": file(1, 1), "d/other": file(1, 1), "d/mode": file(1, 1), "d/link": symlink("a"), "gone": file(1, 1), "turned": file(1, 1)})
	now := build(20, map[string]catalog.Item{"d/same": file(1, 1), "d/other": other, "d/mode": mode, "d/link": symlink("b"), "new": file(1, 1), "turned/x": file(1, 1)})
	now.Carry(old)
	paths := []sdk.Path{"d", "d/same", "d/other", "d/mode", "d/link", "new", "turned", "turned/x"}
	e, err := now.Stat(t.Context(), paths, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{10, 10, 20, 20, 20, 20, 20, 20} {
		if e[i].Ctime.Sec != want {
			t.Errorf("%s changed at %d, want %d", paths[i], e[i].Ctime.Sec, want)
		}
	}
}

func TestScanEnds(t *testing.T) {
	b := catalog.NewBuilder(root, changed, 0, 0)
	for i := range 1000 {
		b.Add(fmt.Sprint("d/", i), file(1, 1))
	}
	b.Add("f", file(1, 1))
	tree := b.Tree()
	r := &recorder{dirs: []sdk.Path{"none", "f", "d", "../x"}, each: func(sdk.Path, *sdk.Entry) {}}
	if err := tree.Scan(t.Context(), sdk.ScanRequest{Dirs: r.dirs}, r); err != nil {
		t.Fatal(err)
	}
	if r.ends[0].Kind != sdk.KindNotExist || r.ends[1].Kind != sdk.KindChanged || r.ends[2] != nil || r.ends[3].Kind != sdk.KindInput {
		t.Errorf("%v", r.ends)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r = &recorder{dirs: []sdk.Path{"d"}, each: func(sdk.Path, *sdk.Entry) { cancel() }}
	if err := tree.Scan(ctx, sdk.ScanRequest{Dirs: r.dirs}, r); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := tree.Stat(ctx, []sdk.Path{"f"}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestLife: Close ends the calls that run and waits for them.
func TestLife(t *testing.T) {
	var l catalog.Life
	ctx, leave, err := l.Enter(t.Context(), "work")
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{})
	go func() {
		<-ctx.Done()
		close(left)
		leave()
	}()
	if !l.Close() {
		t.Error("the first Close is not the first")
	}
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Error("Close did not wait")
	}
	if l.Close() {
		t.Error("the second Close is the first")
	}
	if _, _, err := l.Enter(t.Context(), "work"); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("after Close: %v", err)
	}
}

// FuzzNames: whatever a list says, the tree is one that the border lets through.
func FuzzNames(f *testing.F) {
	f.Add("a/b\n../c\n/d\na\na/b/c\n\x00\n.")
	f.Fuzz(func(t *testing.T, text string) {
		b := catalog.NewBuilder(root, changed, 0, 0)
		for i, name := range strings.Split(text, "\n") {
			switch i % 4 {
			case 0:
				b.Add(name, file(1, 1))
			case 1:
				b.Add(name, dir())
			case 2:
				b.Add(name, symlink("x"))
			default:
				b.Link(name, "a")
			}
		}
		all(t, b.Tree())
	})
}
