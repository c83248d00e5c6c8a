package drivertest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// outside is a directory that no test may change by way of a driver. Of a change
// of attributes the time tells, unless the storage's own are let pass.
func (s *suite) outside(t T) (dir string, check func()) {
	t.Helper()
	dir = t.TempDir()
	mkdirAll(t, dir, "sub")
	put(t, dir, "f", "secret")
	put(t, dir, "sub/f", "secret")
	look := func() []string {
		var out []string
		must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st := sys(t, path)
			if s.cfg.OwnStamps != "" {
				st.Ctim = syscall.Timespec{}
			}
			out = append(out, path, stamp(st))
			for _, name := range attributes(t, path) {
				if s.cfg.OwnStamps == "" || !strings.HasPrefix(name, s.cfg.OwnStamps) {
					out = append(out, name)
				}
			}
			return nil
		}))
		return out
	}
	before := look()
	return dir, func() {
		t.Helper()
		if diff := cmp.Diff(before, look()); diff != "" {
			t.Errorf("changed outside of the root:\n%s", diff)
		}
	}
}

// hostile is every operation, on a path that leads through link.
func hostile(link sdk.Path) []sdk.Op {
	m := meta()
	return []sdk.Op{
		{Kind: sdk.OpMkdir, Path: link.Join("new")},
		{Kind: sdk.OpSymlink, Path: link.Join("f"), Target: "x", Meta: m},
		{Kind: sdk.OpMknod, Path: link.Join("fifo"), Type: sdk.TypeFIFO, Meta: m},
		{Kind: sdk.OpLink, From: "own", Path: link.Join("linked")},
		{Kind: sdk.OpLink, From: link.Join("f"), Path: "stolen"},
		{Kind: sdk.OpRename, From: "own", Path: link.Join("f")},
		{Kind: sdk.OpRename, From: link.Join("f"), Path: "stolen"},
		{Kind: sdk.OpRemove, Path: link.Join("f")},
		{Kind: sdk.OpRemoveTree, Path: link.Join("sub")},
		{Kind: sdk.OpSetMeta, Path: link.Join("f"), Meta: m},
		{Kind: sdk.OpSetMark, Path: link.Join("sub"), Mark: []byte("m")},
		{Kind: sdk.OpSetMark, Path: link, Mark: []byte("m")},
	}
}

func testEscape(t T, s *suite) {
	out, check := s.outside(t)
	dst, tree := s.target(t, nil)
	put(t, tree.Dir, "own", "own")
	mkdirAll(t, tree.Dir, "d")
	for name, to := range map[string]string{"abs": out, "rel": "../" + filepath.Base(out), "d/up": "../../" + filepath.Base(out)} {
		must(t, os.Symlink(to, filepath.Join(tree.Dir, name)))
	}
	for _, link := range []sdk.Path{"abs", "rel", "d/up"} {
		for i, r := range tryApply(t, dst, hostile(link)...) {
			if r.Err == nil {
				t.Errorf("operation %d through %s worked", i, link)
			}
		}
		// The attributes are those of the link itself.
		apply(t, dst, sdk.Op{Kind: sdk.OpSetMeta, Path: link, Meta: meta()})
		w, err := dst.Write(t.Context())
		must(t, err)
		must(t, w.Begin(sdk.NewFile{Path: link.Join("written"), Size: 1, Meta: meta()}))
		must(t, w.Data(0, []byte("x")))
		must(t, w.End(true))
		must(t, w.Begin(sdk.NewFile{Path: link, Size: 1, Meta: meta()}))
		must(t, w.End(true))
		res, err := w.Close()
		must(t, err)
		for i := range res {
			if res[i].Err == nil {
				t.Errorf("file %d through %s was written", i, link)
			}
		}
		if l := scan(t, dst, sdk.FieldXattrs, link)[0]; l.began || l.err == nil {
			t.Errorf("%s was listed", link)
		}
		if e := stat(t, dst, link.Join("f"), 0); e.Type != sdk.TypeUnknown {
			t.Errorf("%s/f was found", link)
		}
	}
	check()
	if content(t, tree.Dir, "own") != "own" {
		t.Error("own file changed")
	}
	gone(t, filepath.Join(tree.Dir, "stolen"))
}

// testEscapeWhileSwapped has somebody exchange a directory for a link while
// operations go through it.
func testEscapeWhileSwapped(t T, s *suite) {
	out, check := s.outside(t)
	dst, tree := s.target(t, nil)
	mkdirAll(t, tree.Dir, "swap/sub")
	put(t, tree.Dir, "swap/f", "f")
	must(t, os.Symlink(out, filepath.Join(tree.Dir, "link")))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		a, b, c := filepath.Join(tree.Dir, "swap"), filepath.Join(tree.Dir, "link"), filepath.Join(tree.Dir, "third")
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Rename(a, c)
			os.Rename(b, a)
			os.Rename(c, b)
		}
	})
	for range s.many(300) {
		put(t, tree.Dir, "own", "own")
		ops := hostile("swap")
		ops = append(ops, sdk.Op{Kind: sdk.OpMkdir, Path: "swap/sub"}, sdk.Op{Kind: sdk.OpRemove, Path: "stolen"})
		tryApply(t, dst, ops...)
	}
	close(stop)
	wg.Wait()
	check()
}
