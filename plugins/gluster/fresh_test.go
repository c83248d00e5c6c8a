package gluster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// content takes a Read of one file.
type content struct {
	bytes.Buffer
	before, after sdk.Entry
	err           *sdk.Error
}

func (c *content) BeginFile(_ int, e *sdk.Entry) error { c.before = *e; return nil }
func (c *content) Data(_ int64, p []byte) error        { c.Write(p); return nil }
func (c *content) EndFile(_ int, e *sdk.Entry, err *sdk.Error) error {
	if c.err = err; e != nil {
		c.after = *e
	}
	return nil
}

// testFresh changes a tree that the primary's mount has just read: nothing may
// be read as it was, be it for a moment.
func testFresh(t *testing.T, p *pool) {
	vol := p.lend(t)
	dir := vol.dir
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	name := filepath.Join(dir, "d", "f")
	must(t, os.WriteFile(name, []byte("00"), 0o644))
	s := newRig(t).source(t, vol.Volume)
	for i := range 20 {
		want := []byte{byte('a' + i), byte('a' + i)}
		mode := os.FileMode(0o600 + i%2*0o40)
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		must(t, err)
		_, err = f.Write(want)
		must(t, err)
		must(t, f.Sync())
		must(t, f.Close())
		must(t, os.Chmod(name, mode))
		must(t, os.Chmod(filepath.Dir(name), mode|0o100))

		l := list(t, s, "d", nil)
		if len(l.entries) != 1 || l.entries[0].Perm != sdk.Perm(mode) || l.self.Perm != sdk.Perm(mode|0o100) {
			t.Fatalf("turn %d: listed %+v", i, l)
		}
		var c content
		must(t, s.Read(t.Context(), []sdk.Path{"d/f"}, &c))
		if c.err != nil || !bytes.Equal(c.Bytes(), want) || c.before.Ctime != c.after.Ctime || c.before.Ctime != l.entries[0].Ctime {
			t.Fatalf("turn %d: read %q, want %q: %+v", i, c.Bytes(), want, c)
		}
		e, err := s.Stat(t.Context(), []sdk.Path{"d/f"}, 0)
		must(t, err)
		if e[0].Ctime != c.after.Ctime {
			t.Fatalf("turn %d: stat %+v", i, e)
		}
	}
}
