package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestPathValidate(t *testing.T) {
	long := strings.Repeat("n", MaxName)
	for _, good := range []Path{Root, "a", "a/b", "...", " ", "\xff\n", Path(long), Path(long + "/" + long), "a/..b", "-"} {
		if err := good.Validate(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	deep := Path(strings.Repeat(long+"/", MaxPath/(MaxName+1)+1) + "x")
	for _, bad := range []Path{"", "/", "/a", "a/", "a//b", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a\x00", Path(long + "n"), deep} {
		if err := bad.Validate(); err == nil {
			t.Errorf("%.40q passed", bad)
		}
	}
}

func TestPathParts(t *testing.T) {
	for _, c := range []struct {
		path, dir Path
		base      string
	}{{Root, Root, "."}, {"a", Root, "a"}, {"a/b", "a", "b"}, {"a/b/c", "a/b", "c"}} {
		if c.path.Dir() != c.dir || c.path.Base() != c.base {
			t.Errorf("%q splits into %q and %q", c.path, c.path.Dir(), c.path.Base())
		}
		if c.path != Root && c.dir.Join(c.base) != c.path {
			t.Errorf("%q and %q join to %q", c.dir, c.base, c.dir.Join(c.base))
		}
	}
	for _, c := range []struct {
		p, dir Path
		want   bool
	}{{"a/b", "a", true}, {"a", "a", true}, {"ab", "a", false}, {"a", "a/b", false}, {"x", Root, true}} {
		if got := c.p.Within(c.dir); got != c.want {
			t.Errorf("%q within %q: %v", c.p, c.dir, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{".", "a/b", "../x", "a//b", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := Path(s)
		if p.Validate() != nil || p == Root {
			return
		}
		if strings.HasPrefix(s, "/") || strings.Contains("/"+s+"/", "/../") {
			t.Errorf("%q leads out of its root", s)
		}
		if got := p.Dir().Join(p.Base()); got != p {
			t.Errorf("%q splits and joins to %q", p, got)
		}
	})
}

func TestTimeAdd(t *testing.T) {
	for _, c := range []struct {
		t    Time
		d    int64
		want Time
	}{
		{Time{1, 5}, -6, Time{0, 999_999_999}},
		{Time{1, 999_999_999}, 1, Time{2, 0}},
		{Time{-3, 1}, 2_000_000_000, Time{-1, 1}},
		{Time{0, 0}, -2_500_000_000, Time{-3, 500_000_000}},
	} {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%v + %d ns = %v, want %v", c.t, c.d, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	err := fmt.Errorf("outer: %w", NewError("open", "a/b", &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOSPC}))
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindNoSpace || e.Errno != syscall.ENOSPC || e.Path != "a/b" {
		t.Fatalf("%#v", e)
	}
	if !errors.Is(err, syscall.ENOSPC) || KindOf(err) != KindNoSpace {
		t.Error("errno or kind is lost on the way out")
	}
	if again := NewError("copy", "c", err); again.Kind != KindNoSpace || again.Errno != syscall.ENOSPC {
		t.Errorf("wrapped again: %#v", again)
	}
	if kind := KindOf(syscall.EBADFD); kind != KindTransient {
		t.Errorf("an open file whose server changed beneath it is %s", kind)
	}
	for kind, sentinel := range map[Kind]error{KindNotExist: fs.ErrNotExist, KindPermission: fs.ErrPermission, KindUnsupported: errors.ErrUnsupported} {
		if !errors.Is(&Error{Kind: kind}, sentinel) {
			t.Errorf("%s is not %v", kind, sentinel)
		}
		if KindOf(sentinel) != kind {
			t.Errorf("%v is of kind %s", sentinel, KindOf(sentinel))
		}
	}
	if KindOf(context.DeadlineExceeded) != KindTransient || KindOf(errors.New("x")) != KindFatal {
		t.Error("kind of a plain error")
	}
	if NewError("x", "", nil) != nil {
		t.Error("no error became one")
	}
}

func TestEntryValidate(t *testing.T) {
	good := Entry{Name: "a", Type: TypeRegular, Perm: 0o644}
	for name, spoil := range map[string]func(*Entry){
		"separator":   func(e *Entry) { e.Name = "a/b" },
		"dotdot":      func(e *Entry) { e.Name = ".." },
		"type":        func(e *Entry) { e.Type = typeEnd },
		"no error":    func(e *Entry) { e.Type = TypeUnknown },
		"permissions": func(e *Entry) { e.Perm = 0o10000 },
		"size":        func(e *Entry) { e.Size = -1 },
		"time":        func(e *Entry) { e.Mtime.Nsec = 1e9 },
		"target":      func(e *Entry) { e.Target = "a\x00" },
		"attribute":   func(e *Entry) { e.Xattrs = []Xattr{{}} },
	} {
		e := good
		spoil(&e)
		if e.Validate() == nil {
			t.Errorf("%s: %+v passed", name, e)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestOpValidate(t *testing.T) {
	for _, bad := range []Op{
		{}, {Kind: opEnd, Path: "a"}, {Kind: OpMkdir, Path: "../a"}, {Kind: OpRemove, Path: Root}, {Kind: OpRemoveTree, Path: Root},
		{Kind: OpRename, Path: "a", From: Root}, {Kind: OpLink, Path: "a", From: "/etc/passwd"}, {Kind: OpSymlink, Path: "a"},
		{Kind: OpMknod, Path: "a", Type: TypeDir}, {Kind: OpSetMark, Path: "a", Mark: make([]byte, MaxMark+1)},
		{Kind: OpSetMeta, Path: "a", Meta: Meta{Mask: 0x80}},
		{Kind: OpSetVolumeMark, Path: Root}, {Kind: OpSetVolumeMark, Path: "a", VolumeMark: VolumeMark{Volume: UUID{1}}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v passed", bad)
		}
	}
	for _, good := range []Op{{Kind: OpSetMark, Path: Root}, {Kind: OpSetVolumeMark, Path: Root, VolumeMark: VolumeMark{Volume: UUID{1}}}, {Kind: OpSetMeta, Path: Root}, {Kind: OpRename, From: "a", Path: "b/c"}, {Kind: OpSymlink, Path: "a", Target: "../.."}} {
		if err := good.Validate(); err != nil {
			t.Error(err)
		}
	}
}
