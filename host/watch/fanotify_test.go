package watch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// oneFile is an index that comes to know of a file's name in a directory.
type oneFile struct {
	file, dir sdk.FileID
	known     bool
}

func (o *oneFile) Has(sdk.FileID) bool { return false }
func (o *oneFile) Dirs() int           { return 1 }
func (o *oneFile) Linked() bool        { return false }
func (o *oneFile) Point() marker.Point { return "" }

func (o *oneFile) Holders(file sdk.FileID) []sdk.FileID {
	if !o.known || file != o.file {
		return nil
	}
	return []sdk.FileID{o.dir}
}

// TestStrays: what happens to a file while a pass goes on, and before the index has
// what the pass found, is told of when that has ended, whatever made the pass begin.
func TestStrays(t *testing.T) {
	needsRoot(t)
	path := filepath.Join(memory(t), "f")
	if err := os.WriteFile(path, []byte("some"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := localfs.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	self, err := root.StatFD(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	index := &oneFile{file: self.ID, dir: sdk.FileID{Ino: 7}}
	f, err := openFanotify(root, index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for _, pass := range []bool{false, true, true} {
		if pass {
			if _, err := f.watch(nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte("other"), 0o644); err != nil {
			t.Fatal(err)
		}
		index.known = false
		told := 0
		tell := func(id sdk.FileID) bool {
			if id == index.dir {
				told++
			}
			return false
		}
		if lost, err := f.hear(tell); lost || err != nil || told > 0 {
			t.Fatalf("told %d times, lost %v: %v", told, lost, err)
		}
		index.known = true
		f.ended(tell)
		if (told == 1) != pass || told > 1 {
			t.Errorf("in a pass %v: told %d times", pass, told)
		}
	}
}
