package main

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func TestZip(t *testing.T) {
	owner := []byte{0x75, 0x78, 11, 0, 1, 4, 0xe8, 3, 0, 0, 4, 0xe9, 3, 0, 0}
	s, _ := open(t, zipped(t,
		file("deep/er/file", "abc"),
		file("./a//b/", ""),
		file("twice", "old"),
		with(file("mode", "m"), unixMode(0x8000|0o4751)),
		with(file("link", "../elsewhere"), unixMode(0xa000|0o777)),
		with(file("dir", ""), unixMode(0x4000|0o700)),
		with(file("fifo", ""), unixMode(0x1000|0o600)),
		with(file("owned", ""), func(m *member) { m.Extra = owner }),
		with(file("stored", "s"), func(m *member) { m.Method = zip.Store }),
		file("twice", "new"),
	))
	all := walk(t, s)
	names := slices.Sorted(maps.Keys(all))
	want := []sdk.Path{".", "a", "a/b", "deep", "deep/er", "deep/er/file", "dir", "fifo", "link", "mode", "owned", "stored", "twice"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatal(diff)
	}
	for p, want := range map[sdk.Path]sdk.Entry{
		"deep/er": {Type: sdk.TypeDir, Perm: 0o755}, "a/b": {Type: sdk.TypeDir, Perm: 0o755}, "dir": {Type: sdk.TypeDir, Perm: 0o700},
		"mode": {Type: sdk.TypeRegular, Perm: 0o4751, Size: 1}, "link": {Type: sdk.TypeSymlink, Perm: 0o777, Target: "../elsewhere"},
		"fifo": {Type: sdk.TypeFIFO, Perm: 0o600}, "owned": {Type: sdk.TypeRegular, Perm: 0o644, UID: 1000, GID: 1001},
		"deep/er/file": {Type: sdk.TypeRegular, Perm: 0o644, Size: 3}, "twice": {Type: sdk.TypeRegular, Perm: 0o644, Size: 3},
	} {
		e := all[p]
		if e.Mtime != (sdk.Time{Sec: at.Unix()}) || e.Ctime.IsZero() || e.ID.IsZero() {
			t.Errorf("%s: times %v, %v, identity %v", p, e.Mtime, e.Ctime, e.ID)
		}
		e.Name, e.Mtime, e.Ctime, e.ID, e.Nlink = "", sdk.Time{}, sdk.Time{}, sdk.FileID{}, 0
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s:\n%s", p, diff)
		}
	}
	files := read(t.Context(), t, s, "twice", "deep/er/file", "stored", "none", "dir", "link", "mode")
	for i, want := range []string{"new", "abc", "s", "-not-exist", "-changed", "-changed", "m"} {
		f := files[i]
		if kind, bad := strings.CutPrefix(want, "-"); bad {
			if f.err == nil || f.err.Kind.String() != kind {
				t.Errorf("file %d: %v, want kind %s", i, f.err, kind)
			}
		} else if string(f.data) != want || !f.whole {
			t.Errorf("file %d: %q, %v, whole %v", i, f.data, f.err, f.whole)
		}
	}
}

// TestZipBadMembers: one that cannot be served stops nothing but itself, and none
// is served outside of the tree.
func TestZipBadMembers(t *testing.T) {
	s, _ := open(t, zipped(t,
		file("../../etc/passwd", "x"), file("/etc/passwd", "x"), file(`dir\file`, "x"), file("a/../b", "x"), file("nul\x00", "x"),
		file(strings.Repeat("n", 300), "x"), file("..", "x"), file("", "x"),
		file("good", "good"), file("good/below", "x"),
		with(file("link", "/etc"), unixMode(0xa000|0o777)), file("link/passwd", "x"),
		file("full/x", "x"), file("full", "no directory"),
		with(file("secret", "x"), func(m *member) { m.Flags, m.raw = zipEncrypted, true }),
		with(file("packed", "x"), func(m *member) { m.Method, m.raw = 14, true }),
		with(file("device", ""), unixMode(0x2000)),
		with(file("nowhere", ""), unixMode(0xa000)),
	))
	all := walk(t, s)
	bad := map[string]string{}
	for p, err := range unreadable(t, s, all) {
		bad[p] = err.Msg
		if err.Kind != sdk.KindUnsupported || string(err.Path) != p {
			t.Errorf("%s: %+v", p, err)
		}
	}
	for name, want := range map[string]string{
		"..%2F..%2Fetc%2Fpasswd": "leads out of the tree", "%2Fetc%2Fpasswd": "is absolute", `dir\file`: "backslash", "a%2F..%2Fb": "leads out",
		"nul%00": "NUL", strings.Repeat("n", 220): "longer than 255", "%2E%2E": "leads out", "%": "has no name",
		"good%2Fbelow": "no directory", "link%2Fpasswd": "no directory", "full~2": "a directory as well",
		"secret": "encrypted", "packed": "method 14", "device": "device", "nowhere": "points",
	} {
		if !strings.Contains(bad[name], want) {
			t.Errorf("%q: %q, want %q", name, bad[name], want)
		}
		delete(bad, name)
	}
	if len(bad) > 0 {
		t.Errorf("also %v", bad)
	}
	for _, p := range []sdk.Path{"full/x", "good", "link"} {
		if e := all[p]; e.Err != nil || e.Type == 0 {
			t.Errorf("%s: %+v", p, e)
		}
	}
	if f := read(t.Context(), t, s, "good", "secret"); string(f[0].data) != "good" || f[1].err == nil || f[1].err.Kind != sdk.KindUnsupported {
		t.Errorf("%q, %v", f[0].data, f[1].err)
	}
}

// TestManyBadNames: a list of them does not fill the problems.
func TestManyBadNames(t *testing.T) {
	var members []member
	for i := range 500 {
		members = append(members, file(fmt.Sprintf("../%d", i), ""))
	}
	s, _ := open(t, zipped(t, append(members, file("good", ""))...))
	all := walk(t, s)
	if more := read(t.Context(), t, s, "more")[0]; len(all) != 103 || more.err == nil || !strings.Contains(more.err.Msg, "400 more") {
		t.Errorf("%d entries, %v", len(all), more.err)
	}
}

// TestZipLies: data that is not what the directory says is an error of that file,
// after no more than the declared size.
func TestZipLies(t *testing.T) {
	lie := func(name string, size uint64, crc uint32) member {
		return with(file(name, "12345"), func(m *member) {
			m.raw, m.Method, m.CompressedSize64, m.UncompressedSize64, m.CRC32 = true, zip.Store, 5, size, crc
		})
	}
	sum := crc32.ChecksumIEEE([]byte("12345"))
	bomb := gzipped(t, make([]byte, 10<<20))
	bomb = bomb[10 : len(bomb)-8]
	s, _ := open(t, zipped(t, lie("right", 5, sum), lie("less", 3, sum), lie("more", 9, sum), lie("other", 5, sum+1),
		with(file("bomb", string(bomb)), func(m *member) {
			m.raw, m.CompressedSize64, m.UncompressedSize64 = true, uint64(len(bomb)), 100
		})))
	files := read(t.Context(), t, s, "right", "less", "more", "other", "bomb")
	if f := files[0]; !f.whole || string(f.data) != "12345" {
		t.Errorf("%+v", f)
	}
	for i, f := range files[1:] {
		if f.err == nil || f.whole || f.sent > 100 {
			t.Errorf("file %d: %d bytes, %v", i+1, f.sent, f.err)
		}
	}
}

// TestZipNoChecksum: a checksum of 0 is one, which few contents have, and not a
// word for "none".
func TestZipNoChecksum(t *testing.T) {
	zero := func(name, data string, more func(*member)) member {
		return with(file(name, data), func(m *member) {
			m.raw, m.Method, m.CompressedSize64, m.UncompressedSize64 = true, zip.Store, uint64(len(data)), uint64(len(data))
			more(m)
		})
	}
	const right = "\x9d\x0a\xd9\x6d"
	if crc32.ChecksumIEEE([]byte(right)) != 0 {
		t.Fatal("the sample has another checksum")
	}
	plain := func(*member) {}
	s, _ := open(t, zipped(t, zero("right", right, plain), zero("none", "12345", plain), zero("empty", "", plain),
		zero("link", "12345", unixMode(0xa000|0o777)), file("other", "x")))
	bad := unreadable(t, s, walk(t, s))
	if len(bad) != 2 || bad["none"] == nil || !strings.Contains(bad["none"].Msg, "checksum") || bad["link"] == nil || !strings.Contains(bad["link"].Msg, "checksum") {
		t.Errorf("unreadable are %v", bad)
	}
	if f := read(t.Context(), t, s, "right"); string(f[0].data) != right || !f[0].whole {
		t.Errorf("%q, %v", f[0].data, f[0].err)
	}
}
