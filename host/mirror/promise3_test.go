package mirror_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// swapper exchanges a directory for a symlink to elsewhere and back, as fast as
// it can, until ctx ends. It leaves the directory in its place.
func swapper(ctx context.Context, dir, elsewhere string) {
	away := dir + ".away"
	for ctx.Err() == nil {
		if os.Rename(dir, away) != nil {
			continue // the mirror removed or made something meanwhile
		}
		_ = os.Symlink(elsewhere, dir)
		_ = os.Remove(dir) // the link; a directory with entries stays
		_ = os.Rename(away, dir)
	}
}

// TestPromise3NothingOutside: nothing is written or removed outside of the
// secondary, and nothing is read from outside of the primary, while directories
// turn into symlinks under the mirror's hands.
func TestPromise3NothingOutside(t *testing.T) {
	for _, side := range []string{"primary", "secondary"} {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/streamed=%v", side, streamed), func(t *testing.T) {
				r := newRig(t)
				r.streamed = streamed
				r.log = quietLog()
				outside := t.TempDir()
				for _, f := range []string{"f", "secret", "sub/g"} {
					full := filepath.Join(outside, f)
					_ = os.MkdirAll(filepath.Dir(full), 0o755)
					if err := os.WriteFile(full, []byte("outside"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				before := describe(t, outside)
				r.sh("mkdir -p d/sub; for i in 1 2 3 4 5 6 7 8; do echo $i >d/$i; echo $i >d/sub/$i; done; echo f >d/f")
				r.sync()
				root := map[string]string{"primary": r.primary, "secondary": r.secondary}[side]
				ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
				defer cancel()
				var attack sync.WaitGroup
				attack.Go(func() { swapper(ctx, filepath.Join(root, "d"), outside) })
				for n := 0; ctx.Err() == nil; n++ {
					// The primary's own directory may be away for a moment.
					_ = os.WriteFile(filepath.Join(r.primary, "new"), fmt.Append(nil, n), 0o644)
					if side == "secondary" {
						r.sh(fmt.Sprintf("echo %d >d/f; rm -f d/sub/%d; echo %d >d/n%d; chmod 75%d d", n, n%9, n, n%20, n%8))
					}
					_ = r.run(mirror.Options{Once: true, Turns: 2})
				}
				attack.Wait()
				if after := describe(t, outside); after != before {
					t.Fatalf("something was changed outside:\n%s", diffLines(before, after))
				}
				noSecrets(t, r.secondary)
				_ = os.RemoveAll(filepath.Join(root, "d.away"))
				r.adopt = true
				if err := r.run(mirror.Options{Once: true, Full: true}); err != nil {
					t.Fatalf("run after the attack: %v", err)
				}
				r.equal()
			})
		}
	}
}

// noSecrets fails the test if content from outside arrived.
func noSecrets(t *testing.T, root string) {
	t.Helper()
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if data, _ := os.ReadFile(path); strings.Contains(string(data), "outside") {
				t.Errorf("%s came from outside of the primary", path)
			}
		}
		return nil
	})
}

// malice is a scan that breaks the contract in one way.
type malice struct {
	sdk.ScanSink
	rows []string // names sent instead of the root's true ones
	self bool     // leave out the root's own entry
	on   bool
}

func (m *malice) BeginDir(i int, self *sdk.Entry) error {
	m.on = i == 0 && self.Name == "."
	if m.on && m.self {
		return nil
	}
	return m.ScanSink.BeginDir(i, self)
}

func (m *malice) Entry(e *sdk.Entry) error {
	if m.on && m.rows != nil {
		return nil
	}
	return m.ScanSink.Entry(e)
}

func (m *malice) EndDir(i int, err *sdk.Error) error {
	for n, name := range m.rows {
		if !m.on {
			break
		}
		e := sdk.Entry{Name: name, Type: sdk.TypeRegular, Perm: 0o644, Nlink: 1, Size: 3, ID: sdk.FileID{Ino: uint64(900 + n), Gen: 1}}
		if strings.HasSuffix(name, "dir") || name == ".." {
			e.Type = sdk.TypeDir
		}
		if serr := m.ScanSink.Entry(&e); serr != nil {
			return serr
		}
	}
	m.on = false
	return m.ScanSink.EndDir(i, err)
}

// TestPromise3MaliciousRows: a driver that breaks the contract is refused, and
// nothing is removed or made on its word.
func TestPromise3MaliciousRows(t *testing.T) {
	cases := map[string]*malice{
		"separator":      {rows: []string{"../p/x", "x/y"}},
		"parent":         {rows: []string{".."}},
		"self":           {rows: []string{"."}},
		"empty":          {rows: []string{""}},
		"NUL":            {rows: []string{"a\x00b"}},
		"long":           {rows: []string{strings.Repeat("x", 256)}},
		"unsorted":       {rows: []string{"b", "a"}},
		"duplicate":      {rows: []string{"a", "a"}},
		"escaping dir":   {rows: []string{"../../dir"}},
		"self missing":   {self: true},
		"only strangers": {rows: []string{"b", "a", "zdir"}},
	}
	for name, m := range cases {
		for _, side := range []string{"primary", "secondary"} {
			t.Run(name+"/"+side, func(t *testing.T) {
				r := newRigAt(t, memoryDir(t))
				r.log = quietLog()
				r.sh("mkdir a; echo 1 >a/1; echo 2 >b; echo 3 >c")
				r.sync()
				r.sh("echo new >n")
				before, around := describe(t, r.secondary), describeNames(t, filepath.Dir(r.secondary))
				h := &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
					if req.Dirs[0] != sdk.Root {
						return next(req, sink)
					}
					return next(req, &malice{ScanSink: sink, rows: m.rows, self: m.self})
				}}
				if side == "primary" {
					r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, h} }
				} else {
					r.wrapTarget = func(s sdk.Target) sdk.Target { return hookTarget{s, h} }
				}
				err := r.run(mirror.Options{Once: true, Turns: 3})
				if err == nil {
					t.Error("the driver was believed")
				}
				if after := describe(t, r.secondary); after != before {
					t.Errorf("the secondary was changed:\n%s", diffLines(before, after))
				}
				if after := describeNames(t, filepath.Dir(r.secondary)); after != around {
					t.Errorf("something was made beside the secondary: %s, was %s", after, around)
				}
			})
		}
	}
}

func describeNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(entries)
}
