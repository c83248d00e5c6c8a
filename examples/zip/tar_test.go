package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// each runs a test on a tar and on the same compressed.
func each(t *testing.T, archive []byte, test func(t *testing.T, archive []byte)) {
	t.Run("tar", func(t *testing.T) { test(t, archive) })
	t.Run("gz", func(t *testing.T) { test(t, gzipped(t, archive)) })
}

func TestTar(t *testing.T) {
	hard := func(name, to string) part { return special(tar.TypeLink, name, to) }
	device := special(tar.TypeChar, "null", "")
	device.Devmajor, device.Devminor = 1, 3
	attrs := regular("attrs", "x")
	attrs.PAXRecords = map[string]string{"SCHILY.xattr.user.b": "2", "SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.gsyncd-host.mark": "no"}
	odd := special('Q', "odd", "")
	wide := regular("wide", "x")
	wide.Uid = -3
	wide.Format = tar.FormatGNU
	each(t, tarred(t,
		special(tar.TypeDir, "./", ""), special(tar.TypeDir, "./d/", ""),
		regular("./d/first", "one"), hard("d/second", "./d/first"), hard("third", "d/first"),
		special(tar.TypeSymlink, "link", "/etc/passwd"), special(tar.TypeFifo, "fifo", ""), device, attrs,
		regular("twice", "old"), regular("twice", "newer"),
		hard("../out", "d/first"), hard("in", "/etc/shadow"), hard("none", "nothing"), hard("dirlink", "d"), odd, wide,
		regular(`back\slash`, "b"), regular("link/through", "x"), regular("../up", "x"),
	), func(t *testing.T, archive []byte) {
		s, _ := open(t, archive)
		all := walk(t, s)
		if e := all["d/first"]; e.Nlink != 3 || e.ID != all["third"].ID || e.ID != all["d/second"].ID || e.UID != 7 || e.GID != 8 || e.Perm != 0o640 {
			t.Errorf("%+v", e)
		}
		if e := all["null"]; e.Type != sdk.TypeChar || e.Major != 1 || e.Minor != 3 {
			t.Errorf("%+v", e)
		}
		if e := all["link"]; e.Type != sdk.TypeSymlink || e.Target != "/etc/passwd" {
			t.Errorf("%+v", e)
		}
		want := []sdk.Xattr{{Name: "user.a", Value: []byte("1")}, {Name: "user.b", Value: []byte("2")}}
		if diff := cmp.Diff(want, all["attrs"].Xattrs); diff != "" {
			t.Error(diff)
		}
		if bad := unreadable(t, s, all); len(bad) != 8 {
			t.Errorf("bad are %v", bad)
		}
		files := read(t.Context(), t, s, "third", "twice", `back\slash`, "d/first", "third", "odd", "fifo")
		for i, want := range []string{"one", "newer", "b", "one", "one"} {
			if !files[i].whole || string(files[i].data) != want {
				t.Errorf("file %d: %q, %v", i, files[i].data, files[i].err)
			}
		}
		if files[5].err == nil || files[6].err == nil || files[6].err.Kind != sdk.KindChanged {
			t.Errorf("%v, %v", files[5].err, files[6].err)
		}
	})
}

// TestTarOrder reads files in another order than they have in the archive, with
// room for all, some and none of them.
func TestTarOrder(t *testing.T) {
	const n = 200
	var parts []part
	var paths []sdk.Path
	for i := range n {
		p := fmt.Sprintf("f%03d", i)
		parts = append(parts, regular(p, strings.Repeat(p, i*7)))
		paths = append(paths, sdk.Path(p))
	}
	paths = append(paths, "f007", "f190")
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	each(t, tarred(t, parts...), func(t *testing.T, archive []byte) {
		for _, cache := range []string{"0B", "20kB", "16MiB"} {
			s, _ := open(t, archive, "cache="+cache)
			for range 2 {
				for i, f := range read(t.Context(), t, s, paths...) {
					var k int
					fmt.Sscanf(string(paths[i]), "f%d", &k)
					if want := strings.Repeat(string(paths[i]), k*7); !f.whole || string(f.data) != want {
						t.Fatalf("cache %s, %s: %d bytes, %v", cache, paths[i], len(f.data), f.err)
					}
				}
			}
		}
	})
}

// TestTarCutShort: an archive that is still being written is no tree.
func TestTarCutShort(t *testing.T) {
	archive := tarred(t, regular("a", strings.Repeat("a", 3000)), regular("zeros", string(make([]byte, 4096))))
	each(t, archive, func(t *testing.T, archive []byte) {
		for cut := 1; cut < len(archive); cut += 97 {
			refusedAs(t, archive[:cut], "")
		}
	})
	for _, n := range []int{512, 1024} { // whole members, and one empty block
		refusedAs(t, archive[:len(archive)-n], "two empty blocks")
	}
	packed := gzipped(t, archive)
	packed[len(packed)-5] ^= 1 // of the checksum
	refusedAs(t, packed, "checksum")
	refusedAs(t, gzipped(t, archive[:len(archive)-1024]), "two empty blocks")
	refusedAs(t, gzipped(t, nil), "no entry")
	refusedAs(t, gzipped(t, make([]byte, 10240)), "no entry")
	refusedAs(t, make([]byte, 10240), "neither a zip nor a tar archive")
}

// TestTarEnd: nothing but padding follows the end of an archive. Else it may be one
// that is written into room made for it, or several, of which one would be seen.
func TestTarEnd(t *testing.T) {
	one, two := tarred(t, regular("a", "1")), tarred(t, regular("b", "2"))
	zeros := make([]byte, maxPadding)
	junk := append(zeros[:600:600], 'x')
	names := func(archive []byte, want int) {
		t.Helper()
		s, _ := open(t, archive)
		if all := walk(t, s); len(all) != want {
			t.Errorf("%d entries, want %d", len(all), want)
		}
	}
	each(t, slices.Concat(one, zeros), func(_ *testing.T, archive []byte) { names(archive, 2) })
	each(t, slices.Concat(one, zeros, zeros[:1]), func(t *testing.T, archive []byte) { refusedAs(t, archive, "zero bytes follow its end") })
	each(t, slices.Concat(one, junk), func(t *testing.T, archive []byte) { refusedAs(t, archive, "goes on behind its end") })
	each(t, slices.Concat(one, two), func(t *testing.T, archive []byte) { refusedAs(t, archive, "goes on behind its end") })
	// The same behind what is compressed, which may have several parts.
	head, rest := gzipped(t, one[:700]), gzipped(t, one[700:])
	names(slices.Concat(head, rest), 2)
	names(slices.Concat(head, rest, zeros[:3]), 2)
	names(slices.Concat(head, rest, zeros), 2)
	names(slices.Concat(head, rest, gzipped(t, nil)), 2)
	refusedAs(t, head, "two empty blocks")
	refusedAs(t, slices.Concat(head, rest, zeros, zeros[:1]), "zero bytes follow its end")
	refusedAs(t, slices.Concat(head, rest, junk), "goes on behind its end")
	refusedAs(t, slices.Concat(head, rest, gzipped(t, two)), "goes on behind its end")
	refusedAs(t, slices.Concat(head, rest, []byte(gzipMagic)), "cut short")
	refusedAs(t, slices.Concat(head, rest, []byte(gzipMagic), junk), "damaged")
}

func refusedAs(t *testing.T, archive []byte, want string, settings ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	put(t, path, archive)
	s, err := granted(filepath.Dir(path)).OpenSource(t.Context(), request(t, path, settings...))
	if err == nil {
		s.Close()
		t.Errorf("an archive of %d bytes was opened, want %q", len(archive), want)
	} else if !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestLimits(t *testing.T) {
	archive := tarred(t, regular("a/a", "12345"), regular("b", "12345"))
	each(t, archive, func(t *testing.T, archive []byte) {
		open(t, archive, "max_bytes=10B", "max_entries=4")
		refusedAs(t, archive, "max_bytes", "max_bytes=9B")
		refusedAs(t, archive, "max_entries", "max_entries=3")
	})
	z := zipped(t, file("a/a", "12345"), file("b", "12345"))
	open(t, z, "max_bytes=10B", "max_entries=4")
	refusedAs(t, z, "max_bytes", "max_bytes=9B")
	refusedAs(t, z, "max_entries", "max_entries=3")
	// What it unpacks to is counted, whatever it says.
	note := part{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "note", PAXRecords: map[string]string{"comment": strings.Repeat("c", 1<<20-100)}}}
	noted := tarred(t, note)
	refusedAs(t, bytes.Repeat(gzipped(t, noted[:len(noted)-1024]), 65), "unpacks to more than", "max_bytes=1B", "max_entries=1")
}

// flaky is a file that cannot be read now and then.
type flaky struct {
	io.ReaderAt
	bad error
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.bad != nil && off > 0 {
		return 0, f.bad
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestTarReadError: an error on the way to a file is not there for ever.
func TestTarReadError(t *testing.T) {
	noise := make([]byte, 2<<20) // more than is read ahead, also when packed
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(noise)
	each(t, tarred(t, regular("noise", string(noise)), regular("last", "x")), func(t *testing.T, archive []byte) {
		f := &flaky{ReaderAt: bytes.NewReader(archive)}
		b := catalog.NewBuilder(sdk.FileID{Ino: 1}, sdk.Time{Sec: 1}, 0, 0)
		box, err := index(t.Context(), f, int64(len(archive)), b, limits{entries: 10, bytes: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []error{errors.New("out of order"), nil} {
			f.bad = bad
			r := box.reader([]int{1})
			data, err := r.data(t.Context(), 1)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(data)
			}
			if !errors.Is(err, bad) || bad == nil && string(got) != "x" {
				t.Errorf("%q, %v, want %v", got, err, bad)
			}
			r.close()
		}
	})
}

// TestSystemTar reads what GNU tar makes, in each of its formats.
func TestSystemTar(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("long/", 40) + "name"
	hole := make([]byte, 1<<20)
	copy(hole[300<<10:], "data")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, filepath.Dir(long)), 0o755))
	for name, data := range map[string][]byte{long: []byte("long"), "plain": []byte("plain"), "zeros": make([]byte, 8192)} {
		must(os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	f, err := os.Create(filepath.Join(dir, "hole"))
	must(err)
	_, err = f.WriteAt([]byte("data"), 300<<10)
	must(err)
	must(f.Truncate(int64(len(hole))))
	must(f.Close())
	must(os.Symlink("plain", filepath.Join(dir, "link")))
	must(os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "same")))
	for _, format := range []string{"gnu", "oldgnu", "pax", "gnu -S", "pax -S", "pax -S --sparse-version=0.1"} {
		t.Run(format, func(t *testing.T) {
			args := append([]string{"-C", dir, "-c", "-z", "-f", "-", "-H"}, append(strings.Fields(format), ".")...)
			cmd := exec.Command("tar", args...)
			archive, err := cmd.Output()
			must(err)
			s, _ := open(t, archive)
			all := walk(t, s)
			if all["plain"].ID != all["same"].ID || all["plain"].Nlink != 2 || all["link"].Target != "plain" {
				t.Errorf("%+v, %+v", all["plain"], all["same"])
			}
			files := read(t.Context(), t, s, sdk.Path(long), "plain", "zeros", "hole")
			for i, want := range [][]byte{[]byte("long"), []byte("plain"), make([]byte, 8192), hole} {
				if !files[i].whole || !bytes.Equal(files[i].data, want) {
					t.Errorf("file %d: %d bytes, %v", i, len(files[i].data), files[i].err)
				}
			}
			if sparse := strings.Contains(format, "-S"); sparse != (files[3].sent < 100<<10) {
				t.Errorf("%d bytes were sent of a file with a hole", files[3].sent)
			}
		})
	}
}
