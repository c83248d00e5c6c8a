package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// samples are entries that use every part of the encoding.
func samples() []sdk.Entry {
	return []sdk.Entry{
		{Name: "a", Type: sdk.TypeRegular, Perm: 0o7644, UID: 1, GID: math.MaxUint32, Nlink: 2, Size: math.MaxInt64,
			Mtime: sdk.Time{Sec: math.MinInt64, Nsec: 999999999}, Ctime: sdk.Time{Sec: math.MaxInt64}, ID: sdk.FileID{Ino: math.MaxUint64, Gen: 1}},
		{Name: "b\xff\n\x01", Type: sdk.TypeSymlink, Target: strings.Repeat("t", 4095)},
		{Name: "c", Type: sdk.TypeDir, Mount: true, Mark: []byte{}},
		{Name: "d", Type: sdk.TypeDir, Mark: bytes.Repeat([]byte{7}, sdk.MaxMark)},
		{Name: "dn", Type: sdk.TypeDir, Native: sdk.NativeXTime{Sec: 1<<32 - 1, Usec: 999_999}},
		{Name: "e", Type: sdk.TypeChar, Major: 5},
		{Name: "f", Err: &sdk.Error{Kind: sdk.KindPermission, Op: "stat", Path: "x/f", Errno: 13, Msg: "no"}},
		{Name: "g", Type: sdk.TypeRegular, Xattrs: []sdk.Xattr{{Name: "user.a", Value: []byte{}}, {Name: "user.b", Value: make([]byte, sdk.MaxXattrValue)}}},
		{Name: strings.Repeat("h", sdk.MaxName), Type: sdk.TypeFIFO},
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, e := range samples() {
		row, err := AppendEntry([]byte("before"), &e)
		if err != nil {
			t.Fatal(err)
		}
		row = append(row[len("before"):], "after"...)
		var got sdk.Entry
		rest, err := NextEntry(row, &got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got, cmp.Comparer(bytes.Equal)); diff != "" || string(rest) != "after" {
			t.Errorf("rest %q: %s", rest, diff)
		}
	}
}

func TestEntryRefused(t *testing.T) {
	many := make([]sdk.Xattr, 100)
	for i := range many {
		many[i] = sdk.Xattr{Name: fmt.Sprintf("user.%03d", i), Value: make([]byte, sdk.MaxXattrValue)}
	}
	tests := map[string]sdk.Entry{
		"no name":         {Type: sdk.TypeDir},
		"leads out":       {Name: "..", Type: sdk.TypeDir},
		"separator":       {Name: "a/b", Type: sdk.TypeDir},
		"long name":       {Name: strings.Repeat("n", 256), Type: sdk.TypeDir},
		"type":            {Name: "a", Type: 99},
		"error and type":  {Name: "a", Type: sdk.TypeDir, Err: &sdk.Error{}},
		"neither":         {Name: "a"},
		"unsorted xattrs": {Name: "a", Type: sdk.TypeDir, Xattrs: []sdk.Xattr{{Name: "b"}, {Name: "a"}}},
		"same xattr":      {Name: "a", Type: sdk.TypeDir, Xattrs: []sdk.Xattr{{Name: "b"}, {Name: "b"}}},
		"long value":      {Name: "a", Type: sdk.TypeDir, Xattrs: []sdk.Xattr{{Name: "b", Value: make([]byte, sdk.MaxXattrValue+1)}}},
		"long mark":       {Name: "a", Type: sdk.TypeDir, Mark: make([]byte, sdk.MaxMark+1)},
		"long target":     {Name: "a", Type: sdk.TypeSymlink, Target: strings.Repeat("t", 1<<16)},
		"too much":        {Name: "a", Type: sdk.TypeDir, Xattrs: many},
	}
	for name, e := range tests {
		if b, err := AppendEntry([]byte("kept"), &e); err == nil || string(b) != "kept" {
			t.Errorf("%s: %v, %q", name, err, b)
		}
	}
}

// An error gets through whatever is in it.
func TestFaultAlwaysFits(t *testing.T) {
	bad := &sdk.Error{Kind: 200, Op: strings.Repeat("o", 1<<17), Path: "../x", Errno: 1 << 20, Msg: strings.Repeat("m", 1<<17)}
	row, err := AppendEntry(nil, &sdk.Entry{Name: "a", Err: bad})
	if err != nil {
		t.Fatal(err)
	}
	var got sdk.Entry
	if _, err := NextEntry(row, &got); err != nil {
		t.Fatal(err)
	}
	want := &sdk.Error{Op: bad.Op[:maxText], Msg: bad.Msg[:maxText]}
	if diff := cmp.Diff(want, got.Err); diff != "" {
		t.Error(diff)
	}
}

// recorder is a sink that remembers.
type recorder struct {
	rows []string
	fail error
}

func (r *recorder) BeginDir(i int, e *sdk.Entry) error {
	r.rows = append(r.rows, fmt.Sprintf("begin %d %s", i, e.Name))
	return r.fail
}

func (r *recorder) Entry(e *sdk.Entry) error {
	r.rows = append(r.rows, fmt.Sprintf("%s %s", e.Name, e.Type))
	return r.fail
}

func (r *recorder) EndDir(i int, err *sdk.Error) error {
	r.rows = append(r.rows, fmt.Sprintf("end %d %v", i, err))
	return r.fail
}

func self() *sdk.Entry { return &sdk.Entry{Name: ".", Type: sdk.TypeDir} }

func TestScanRoundTrip(t *testing.T) {
	var got recorder
	dec := NewScanDecoder(3, 10, &got)
	enc := NewScanEncoder(3, dec.Feed)
	err := errors.Join(
		enc.BeginDir(0, self()), enc.Entry(&sdk.Entry{Name: "a", Type: sdk.TypeRegular}), enc.Entry(&sdk.Entry{Name: "b", Type: sdk.TypeDir}), enc.EndDir(0, nil),
		enc.EndDir(1, &sdk.Error{Kind: sdk.KindNotExist, Op: "open"}),
		enc.BeginDir(2, self()), enc.EndDir(2, &sdk.Error{Kind: sdk.KindTransient, Op: "read"}),
		enc.Close(), dec.Finish())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"begin 10 .", "a file", "b directory", "end 10 <nil>", "end 11 open: not-exist", "begin 12 .", "end 12 read: transient"}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
}

func TestScanBatches(t *testing.T) {
	big := sdk.Entry{Type: sdk.TypeRegular}
	for i := range 10 {
		big.Xattrs = append(big.Xattrs, sdk.Xattr{Name: fmt.Sprint("user.", i), Value: make([]byte, sdk.MaxXattrValue)})
	}
	huge := big
	huge.Xattrs = nil
	for i := range 70 {
		huge.Xattrs = append(huge.Xattrs, sdk.Xattr{Name: fmt.Sprintf("user.%02d", i), Value: make([]byte, sdk.MaxXattrValue)})
	}
	var got recorder
	dec := NewScanDecoder(1, 0, &got)
	var sizes []int
	enc := NewScanEncoder(1, func(b []byte) error {
		sizes = append(sizes, len(b))
		return dec.Feed(b)
	})
	if err := enc.BeginDir(0, self()); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		e := sdk.Entry{Type: sdk.TypeRegular}
		if i%100 == 0 {
			e = big
		}
		if i == 1234 {
			e = huge
		}
		e.Name = fmt.Sprintf("%04d", i)
		if err := enc.Entry(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(enc.EndDir(0, nil), enc.Close(), dec.Finish()); err != nil {
		t.Fatal(err)
	}
	if len(got.rows) != 3002 || got.rows[1235] != "1234 unknown" {
		t.Errorf("%d rows, %q", len(got.rows), got.rows[1235])
	}
	for _, n := range sizes {
		if n > MaxBatchBytes {
			t.Errorf("batch of %d bytes", n)
		}
	}
}

// An entry that breaks the rules costs itself, unless it has no name to tell it by.
func TestBadEntry(t *testing.T) {
	bad := map[string]*sdk.Entry{
		"long target": {Name: "b", Type: sdk.TypeSymlink, Target: strings.Repeat("x", maxTarget+1)},
		"negative":    {Name: "b", Type: sdk.TypeRegular, Size: -1},
		"unsorted":    {Name: "b", Type: sdk.TypeRegular, Xattrs: []sdk.Xattr{{Name: "user.b"}, {Name: "user.a"}}},
		"no error":    {Name: "b"},
	}
	for name, e := range bad {
		var got recorder
		dec := NewScanDecoder(1, 0, &got)
		enc := NewScanEncoder(1, dec.Feed)
		file := func(name string) *sdk.Entry { return &sdk.Entry{Name: name, Type: sdk.TypeRegular} }
		if err := errors.Join(enc.BeginDir(0, self()), enc.Entry(file("a")), enc.Entry(e), enc.Entry(file("c")), enc.EndDir(0, nil), enc.Close(), dec.Finish()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"begin 0 .", "a file", "b unknown", "c file", "end 0 <nil>"}, got.rows); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		row, err := AppendEntryOrFault(nil, e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var back sdk.Entry
		if _, err := NextEntry(row, &back); err != nil || back.Name != "b" || back.Type != sdk.TypeUnknown || sdk.KindOf(back.Err) != sdk.KindUnsupported {
			t.Errorf("%s: %v, %v", name, back, err)
		}
		if _, err := AppendReadBegin(nil, 0, e); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	for _, name := range []string{"", "..", "a/b", strings.Repeat("x", 256)} {
		e := &sdk.Entry{Name: name, Type: sdk.TypeRegular}
		enc := NewScanEncoder(1, func([]byte) error { return nil })
		if err := enc.BeginDir(0, self()); err != nil {
			t.Fatal(err)
		}
		if enc.Entry(e) == nil {
			t.Errorf("%q listed", name)
		}
		if _, err := AppendEntryOrFault(nil, e); err == nil {
			t.Errorf("%q described", name)
		}
	}
}

func TestScanOrder(t *testing.T) {
	file := func(name string) *sdk.Entry { return &sdk.Entry{Name: name, Type: sdk.TypeRegular} }
	tests := map[string]func(s sdk.ScanSink) error{
		"wrong start": func(s sdk.ScanSink) error { return s.BeginDir(1, self()) },
		"beyond": func(s sdk.ScanSink) error {
			return errors.Join(s.EndDir(0, &sdk.Error{}), s.EndDir(1, &sdk.Error{}), s.EndDir(2, &sdk.Error{}))
		},
		"negative":        func(s sdk.ScanSink) error { return s.BeginDir(-1, self()) },
		"end alone":       func(s sdk.ScanSink) error { return s.EndDir(0, nil) },
		"nested":          func(s sdk.ScanSink) error { return errors.Join(s.BeginDir(0, self()), s.BeginDir(1, self())) },
		"self is no dir":  func(s sdk.ScanSink) error { return s.BeginDir(0, file(".")) },
		"self has a name": func(s sdk.ScanSink) error { return s.BeginDir(0, &sdk.Entry{Name: "d", Type: sdk.TypeDir}) },
		"entry outside":   func(s sdk.ScanSink) error { return s.Entry(file("a")) },
		"self as entry":   func(s sdk.ScanSink) error { return errors.Join(s.BeginDir(0, self()), s.Entry(self())) },
		"unsorted": func(s sdk.ScanSink) error {
			return errors.Join(s.BeginDir(0, self()), s.Entry(file("b")), s.Entry(file("a")))
		},
		"twice": func(s sdk.ScanSink) error {
			return errors.Join(s.BeginDir(0, self()), s.Entry(file("b")), s.Entry(file("b")))
		},
	}
	for name, f := range tests {
		if f(NewScanEncoder(2, func([]byte) error { return nil })) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	enc := NewScanEncoder(2, func([]byte) error { return nil })
	if enc.Close() == nil {
		t.Error("directories left out: accepted")
	}
}

func TestSinkError(t *testing.T) {
	own := errors.New("own")
	dec := NewScanDecoder(1, 0, &recorder{fail: own})
	enc := NewScanEncoder(1, dec.Feed)
	err := errors.Join(enc.BeginDir(0, self()), enc.Flush())
	var sink *SinkError
	if !errors.As(err, &sink) || sink.Err != own {
		t.Errorf("error %v", err)
	}
}

// batchOf encodes a scan of everything in samples.
func batchOf(t testing.TB) []byte {
	var out []byte
	enc := NewScanEncoder(2, func(b []byte) error {
		out = append(out, b...)
		return nil
	})
	err := enc.BeginDir(0, self())
	for _, e := range samples() {
		if len(e.Xattrs) > 0 {
			e.Xattrs = []sdk.Xattr{{Name: "user.a", Value: []byte("v")}}
		}
		err = errors.Join(err, enc.Entry(&e))
	}
	if err := errors.Join(err, enc.EndDir(0, nil), enc.EndDir(1, &sdk.Error{Kind: sdk.KindGone, Op: "x"}), enc.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTruncatedAndFlipped(t *testing.T) {
	batch := batchOf(t)
	for n := range batch {
		dec := NewScanDecoder(2, 0, &recorder{})
		if dec.Feed(batch[:n]) == nil && dec.Finish() == nil {
			t.Fatalf("cut to %d of %d: accepted", n, len(batch))
		}
		flipped := bytes.Clone(batch)
		flipped[n] ^= 0x80
		_ = NewScanDecoder(2, 0, &recorder{}).Feed(flipped)
	}
}

// A length that lies must not cost memory.
func TestLyingLengths(t *testing.T) {
	row := []byte{rowEntry, 0xff, 0xff, 0xff, 0xff}
	if NewScanDecoder(1, 0, &recorder{}).Feed(row) == nil {
		t.Error("accepted")
	}
	e := sdk.Entry{Name: "a", Type: sdk.TypeDir, Xattrs: []sdk.Xattr{{Name: "x", Value: []byte("y")}}}
	row, err := AppendEntry(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(row[len(row)-9:], math.MaxUint16+0)
	if _, err := NextEntry(row, &e); err == nil {
		t.Error("accepted")
	}
}

// reencode is a sink that encodes again.
type reencode struct{ *ScanEncoder }

func FuzzRows(f *testing.F) {
	f.Add(batchOf(f))
	f.Add([]byte{rowEnd, 6, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, batch []byte) {
		if len(batch) > MaxBatchBytes {
			return
		}
		var again []byte
		enc := NewScanEncoder(1000, func(b []byte) error {
			again = append(again, b...)
			return nil
		})
		dec := NewScanDecoder(1000, 0, reencode{enc})
		if err := dec.Feed(batch); err != nil {
			var sink *SinkError
			if errors.As(err, &sink) {
				t.Fatalf("what was decoded does not encode: %v", err)
			}
			return
		}
		if err := enc.Flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(batch, again) {
			t.Fatalf("encoded again:\n%x\n%x", batch, again)
		}
	})
}

func BenchmarkRows(b *testing.B) {
	e := sdk.Entry{Type: sdk.TypeRegular, Perm: 0o644, Size: 7, ID: sdk.FileID{Ino: 5}}
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("file-%08d", i)
	}
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		dec := NewScanDecoder(1, 0, discard{})
		enc := NewScanEncoder(1, dec.Feed)
		err := enc.BeginDir(0, self())
		for _, name := range names {
			e.Name = name
			if err == nil {
				err = enc.Entry(&e)
			}
			rows++
		}
		if err := errors.Join(err, enc.EndDir(0, nil), enc.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

type discard struct{}

func (discard) BeginDir(int, *sdk.Entry) error { return nil }
func (discard) Entry(*sdk.Entry) error         { return nil }
func (discard) EndDir(int, *sdk.Error) error   { return nil }
