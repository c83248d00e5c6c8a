package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// TestReplaced: an archive that is replaced is the next state of the same tree.
// What is in it as before has its change time, what is not has a new one.
func TestReplaced(t *testing.T) {
	for name, pack := range map[string]func(testing.TB, string, string) []byte{
		"zip": func(t testing.TB, a, b string) []byte {
			return zipped(t, file("d/same", "same"), file("d/other", a), file(b, ""))
		},
		"tar": func(t testing.TB, a, b string) []byte {
			return tarred(t, regular(b, ""), regular("d/same", "same"), regular("d/other", a))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := open(t, pack(t, "first", "old"))
			id, err := s.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before := walk(t, s)
			old, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			put(t, path, pack(t, "FIRST", "new"))
			beacon, err := s.Beacon(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after := walk(t, s)
			if now, err := s.Identity(t.Context()); err != nil || now != id {
				t.Errorf("the tree is %v, and was %v: %v", now, id, err)
			}
			for _, p := range []sdk.Path{".", "d", "d/same"} {
				if before[p].ID != after[p].ID || before[p].Ctime != after[p].Ctime {
					t.Errorf("%s was %+v and is %+v", p, before[p], after[p])
				}
			}
			a, b := before["d/other"], after["d/other"]
			if a.ID == b.ID || a.Size != b.Size || a.Mtime != b.Mtime || b.Ctime.Compare(a.Ctime) <= 0 || b.Ctime.Compare(beacon.Now) > 0 {
				t.Errorf("was %+v and is %+v at %v", a, b, beacon.Now)
			}
			if _, there := after["old"]; there || after["new"].Type != sdk.TypeRegular {
				t.Errorf("%+v", after)
			}
			if f := read(t.Context(), t, s, "d/other")[0]; string(f.data) != "FIRST" || !f.whole {
				t.Errorf("%q, %v", f.data, f.err)
			}

			// Overwritten in place, to the same length and time: only the change
			// time can tell.
			data := pack(t, "Third", "new")
			overwrite(t, path, data, old.ModTime())
			if _, err := s.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f := read(t.Context(), t, s, "d/other")[0]; string(f.data) != "Third" || !f.whole {
				t.Errorf("%q, %v", f.data, f.err)
			}
		})
	}
}

// overwrite writes into a file without another taking its place.
func overwrite(t testing.TB, path string, data []byte, mtime time.Time) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(data, 0)
	if err := errors.Join(err, f.Close(), os.Chtimes(path, mtime, mtime)); err != nil {
		t.Fatal(err)
	}
}

// TestChangedWhileRead: no file passes for whole whose archive was replaced or
// overwritten before its end was sent.
func TestChangedWhileRead(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 4*sdk.MaxChunk/16)
	other := bytes.Repeat([]byte("fedcba9876543210"), 4*sdk.MaxChunk/16)
	for name, archive := range map[string][2][]byte{
		"zip": {zipped(t, file("f", string(big))), zipped(t, file("f", string(other)))},
		"tar": {tarred(t, regular("f", string(big))), tarred(t, regular("f", string(other)))},
	} {
		for how, change := range map[string]func(path string){
			"replaced":    func(path string) { put(t, path, archive[1]) },
			"overwritten": func(path string) { overwrite(t, path, archive[1], at) },
			"removed":     func(path string) { os.Remove(path) },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				s, path := open(t, archive[0])
				done := false
				r := &taker{files: make([]got, 1), onData: func() {
					if !done {
						done = true
						change(path)
					}
				}}
				if err := s.Read(t.Context(), []sdk.Path{"f"}, r); err != nil {
					t.Fatal(err)
				}
				if f := r.files[0]; f.whole || f.err == nil {
					t.Errorf("%d bytes passed for whole", f.sent)
				}
				if how == "removed" {
					if _, err := s.Identity(t.Context()); sdk.KindOf(err) != sdk.KindNotExist {
						t.Errorf("identity: %v", err)
					}
					return
				}
				if f := read(t.Context(), t, s, "f")[0]; !f.whole || !bytes.Equal(f.data, other) {
					t.Errorf("afterwards: %d bytes, %v", f.sent, f.err)
				}
			})
		}
	}
}

// TestBrokenNow: an archive that became unreadable is no tree, until it is one
// again.
func TestBrokenNow(t *testing.T) {
	whole := tarred(t, regular("a", "1"), regular("b", "2"))
	s, path := open(t, whole)
	put(t, path, whole[:1024])
	var l listing
	err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{sdk.Root}}, &l)
	if sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("scan: %v", err)
	}
	if _, err := s.Identity(t.Context()); sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("identity: %v", err)
	}
	put(t, path, whole)
	if all := walk(t, s); len(all) != 3 {
		t.Errorf("%v", all)
	}
}

func TestCancelled(t *testing.T) {
	s, path := open(t, tarred(t, regular("a", "1")))
	put(t, path, tarred(t, regular("a", "2")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Identity(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("identity: %v", err)
	}
	if _, err := s.Stat(t.Context(), []sdk.Path{"a"}, 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// FuzzIndex feeds what strangers make.
func FuzzIndex(f *testing.F) {
	z := zipped(f, file("a/b", "abc"), with(file("l", "to"), unixMode(0xa1ff)))
	a := tarred(f, regular("a/b", "abc"), part{Header: special('2', "l", "to").Header})
	f.Add(z)
	f.Add(a)
	f.Add(gzipped(f, a))
	lim := limits{entries: 1000, bytes: 1 << 20, memory: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := catalog.NewBuilder(sdk.FileID{Ino: 1}, sdk.Time{Sec: 1}, 0, 0)
		box, err := index(t.Context(), bytes.NewReader(data), int64(len(data)), b, lim)
		if err != nil {
			return
		}
		tree := b.Tree()
		l := listing{all: map[sdk.Path]sdk.Entry{}, todo: []sdk.Path{sdk.Root}}
		for len(l.todo) > 0 {
			l.dirs, l.todo = l.todo, nil
			if err := tree.Scan(t.Context(), sdk.ScanRequest{Dirs: l.dirs}, &l); err != nil {
				t.Fatal(err) // an entry that is not valid
			}
		}
		for p := range l.all {
			e, ref, bad := tree.File(p)
			if bad != nil {
				continue
			}
			r := box.reader([]int{ref})
			if data, err := r.data(t.Context(), ref); err == nil {
				to := &taker{files: make([]got, 1)}
				_ = to.BeginFile(0, &e)
				if _, _, err := send(t.Context(), data, e.Size, false, make([]byte, block), to); err != nil || to.files[0].sent > e.Size {
					t.Errorf("%s: %d bytes of %d, %v", p, to.files[0].sent, e.Size, err)
				}
			}
			r.close()
		}
	})
}
