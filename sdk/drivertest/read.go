package drivertest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func testRead(t T, s *suite) {
	large := noise(3*sdk.MaxChunk + 17)
	const mib = 1 << 20
	src, tree := s.source(t, func(dir string) {
		mkdirAll(t, dir, "d")
		put(t, dir, "empty", "")
		put(t, dir, "d/small", "abc")
		put(t, dir, "large", string(large))
		f, err := os.Create(filepath.Join(dir, "sparse"))
		must(t, err)
		defer f.Close()
		for _, off := range []int64{4 * mib, 12 * mib} {
			_, err = f.WriteAt(large[:4096], off)
			must(t, err)
		}
		must(t, f.Truncate(20*mib))
		must(t, os.Truncate(filepath.Join(dir, "empty"), 0))
		hole, err := os.Create(filepath.Join(dir, "hole"))
		must(t, err)
		defer hole.Close()
		must(t, hole.Truncate(5*mib))
	})
	rec := &readRecorder{}
	files := read(t.Context(), t, src, rec, "d/small", "empty", "large", "sparse", "hole", "d/small")
	sparse := make([]byte, 20*mib)
	copy(sparse[4*mib:], large[:4096])
	copy(sparse[12*mib:], large[:4096])
	for i, want := range [][]byte{[]byte("abc"), {}, large, sparse, make([]byte, 5*mib), []byte("abc")} {
		f := &files[i]
		if f.err != nil || !bytes.Equal(f.content(), want) || f.before.Size != int64(len(want)) {
			t.Errorf("file %d: %d bytes of %d, %v", i, f.before.Size, len(want), f.err)
		}
		if diff := cmp.Diff(f.before, f.after, ignoreXattrs()); diff != "" {
			t.Errorf("file %d, untouched, changed:\n%s", i, diff)
		}
	}
	if files[0].before.Name != "small" || files[0].before.ID.Ino != sys(t, filepath.Join(tree.Dir, "d/small")).Ino {
		t.Errorf("%+v", files[0].before)
	}
	if sys(t, filepath.Join(tree.Dir, "sparse")).Blocks*512 < 20*mib {
		if n := files[3].bytes(); n > mib {
			t.Errorf("%d bytes were sent of a file with 8 KiB of data", n)
		}
	}
	stop := errors.New("enough")
	fail := &failingReader{err: stop}
	if err := src.Read(t.Context(), []sdk.Path{"large", "large"}, fail); !errors.Is(err, stop) {
		t.Errorf("read ended with %v, want the sink's error", err)
	}
}

// ignoreXattrs compares entries but for what after need not have.
func ignoreXattrs() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Xattrs" }, cmp.Ignore())
}

type failingReader struct{ err error }

func (f *failingReader) BeginFile(int, *sdk.Entry) error           { return nil }
func (f *failingReader) Data(int64, []byte) error                  { return f.err }
func (f *failingReader) EndFile(int, *sdk.Entry, *sdk.Error) error { return nil }

func testReadErrors(t T, s *suite) {
	src, _ := s.source(t, func(dir string) {
		mkdirAll(t, dir, "d")
		put(t, dir, "good", "g")
		must(t, os.Symlink("good", filepath.Join(dir, "link")))
		must(t, os.Symlink("d", filepath.Join(dir, "dirlink")))
		put(t, dir, "d/f", "f")
		must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
		must(t, syscall.Mknod(filepath.Join(dir, "socket"), syscall.S_IFSOCK|0o644, 0))
	})
	rec := &readRecorder{}
	files := read(t.Context(), t, src, rec, "none", "good", "d", "link", "dirlink/f", "fifo", "socket", "good")
	changed := sdk.KindChanged
	for i, want := range []sdk.Kind{sdk.KindNotExist, 0, changed, changed, changed, changed, changed, 0} {
		f := &files[i]
		if want == 0 {
			if f.err != nil || string(f.content()) != "g" {
				t.Errorf("file %d: %q, %v", i, f.content(), f.err)
			}
			continue
		}
		if f.err == nil || f.err.Kind != want {
			t.Errorf("file %d: %v, want kind %s", i, f.err, want)
		}
	}
}

// testReadTorn changes a file while it is read: what came before and after must
// differ.
func testReadTorn(t T, s *suite) {
	// More than any transport holds back, so that the sink sees the file while
	// it is still read.
	big := noise(48 << 20)
	var path string
	src, _ := s.source(t, func(dir string) {
		path = filepath.Join(dir, "f")
		put(t, dir, "f", string(big))
	})
	at := func(change func(f *os.File)) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		rec := &readRecorder{}
		var once bool
		rec.onData = func(int, int64) {
			if !once {
				once = true
				change(f)
			}
		}
		got := read(t.Context(), t, src, rec, "f")[0]
		if got.err == nil && cmp.Equal(got.before, got.after, ignoreXattrs()) {
			t.Errorf("a file that changed while it was read looks whole")
		}
	}
	at(func(f *os.File) { must(t, f.Truncate(100)) })
	put(t, filepath.Dir(path), "f", string(big))
	at(func(f *os.File) {
		_, err := f.WriteAt([]byte("more"), int64(len(big)))
		must(t, err)
	})
	put(t, filepath.Dir(path), "f", string(big))
	b, err := src.Beacon(t.Context())
	must(t, err)
	if b.Window >= time.Second {
		t.Log("left out: changes of one second, which this filesystem does not tell apart")
		return
	}
	at(func(f *os.File) { // the same size, the time set back
		st := sys(t, path)
		_, err := f.WriteAt([]byte("torn"), int64(len(big))-4)
		must(t, err)
		ts := []syscall.Timespec{st.Atim, st.Mtim}
		must(t, syscall.UtimesNano(path, ts))
	})
	if tmpfs(t, path) {
		t.Log("left out: stores through a mapping, which this filesystem never shows")
		return
	}
	// A page that a program has dirtied through a mapping before the read, and
	// stores to again meanwhile: without care neither event nor time tells.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	m, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	must(t, err)
	defer syscall.Munmap(m)
	m[0]++
	at(func(*os.File) { m[0]++ })
}

func tmpfs(t T, path string) bool {
	t.Helper()
	var st syscall.Statfs_t
	must(t, syscall.Statfs(path, &st))
	return st.Type == 0x01021994
}
