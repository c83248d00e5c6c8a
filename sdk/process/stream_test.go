package process_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// readCount is a sink that sums up.
type readCount struct {
	got   []string
	bytes int64
	data  func() error
}

func (r *readCount) BeginFile(i int, before *sdk.Entry) error {
	r.got = append(r.got, fmt.Sprintf("begin %d %s", i, before.Name))
	r.bytes = 0
	return nil
}

func (r *readCount) Data(off int64, p []byte) error {
	if off != r.bytes {
		return fmt.Errorf("data at %d after %d", off, r.bytes)
	}
	r.bytes += int64(len(p))
	if r.data != nil {
		return r.data()
	}
	return nil
}

func (r *readCount) EndFile(i int, after *sdk.Entry, err *sdk.Error) error {
	r.got = append(r.got, fmt.Sprintf("end %d %d %v %v", i, r.bytes, after != nil, err))
	return nil
}

func TestRead(t *testing.T) {
	d := driver(t, launch(t, command(t, "driver")))
	for _, size := range []int64{0, 100, bigger(64 << 10), bigger(1 << 20), 5 << 20} {
		s := source(t, d, "x", schema.Values{"bytes": size})
		var sink readCount
		if err := s.Read(t.Context(), []sdk.Path{"a", "b/missing", "c/d"}, &sink); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"begin 0 a", fmt.Sprintf("end 0 %d true <nil>", size),
			fmt.Sprintf("end 1 %d false open b/missing: not-exist", size),
			"begin 2 d", fmt.Sprintf("end 2 %d true <nil>", size),
		}
		if diff := cmp.Diff(want, sink.got); diff != "" {
			t.Errorf("size %d: %s", size, diff)
		}
	}
	enough := errors.New("enough")
	s := source(t, d, "x", schema.Values{"bytes": int64(100 << 20)})
	sink := readCount{data: func() error { return enough }}
	if err := s.Read(t.Context(), []sdk.Path{"a"}, &sink); err != enough {
		t.Errorf("error %v", err)
	}
	if err := s.Read(t.Context(), []sdk.Path{"/etc"}, &sink); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
}

func bigger(n int64) int64 { return n + 1 }

func TestWrite(t *testing.T) { testWrite(t, driver(t, launch(t, command(t, "driver")))) }

func testWrite(t *testing.T, d sdk.Driver) {
	t.Helper()
	tg := target(t, d, "count")
	w, err := tg.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []sdk.OpResult
	var sum int64
	chunk := make([]byte, 5<<20) // more than a message may have
	for i := range 2500 {
		f := sdk.NewFile{Path: sdk.Path(fmt.Sprintf("d/f%d", i)), Size: 100}
		r := sdk.OpResult{}
		if i%100 == 7 {
			f.Path = "d/fail"
			r.Err = &sdk.Error{Kind: sdk.KindPermission, Op: "create", Path: "d/fail", Errno: 13}
		}
		n := 100
		if i%1000 == 0 {
			n = len(chunk)
		}
		if err := errors.Join(w.Begin(f), w.Data(0, chunk[:n]), w.End(i%3 != 0)); err != nil {
			t.Fatal(err)
		}
		sum += int64(n)
		want = append(want, r)
	}
	got, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	id, err := tg.Identity(t.Context())
	if err != nil || int64(id.Root.Gen) != sum {
		t.Errorf("%d of %d bytes arrived: %v", id.Root.Gen, sum, err)
	}
	if err := w.Begin(sdk.NewFile{Path: "late"}); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("writing after Close: %v", err)
	}
}

func TestWriteNothing(t *testing.T) { testWriteNothing(t, driver(t, launch(t, command(t, "driver")))) }

func testWriteNothing(t *testing.T, d sdk.Driver) {
	t.Helper()
	w, err := target(t, d, "x").Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.Close(); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWriteFails(t *testing.T) { testWriteFails(t, driver(t, launch(t, command(t, "driver")))) }

func testWriteFails(t *testing.T, d sdk.Driver) {
	t.Helper()
	tg := target(t, d, "stream-full")
	w, err := tg.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(sdk.NewFile{Path: "f", Size: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, sdk.MaxChunk)
	for off := int64(0); err == nil && off < 1<<40; off += int64(len(chunk)) {
		err = w.Data(off, chunk)
	}
	if sdk.KindOf(err) != sdk.KindNoSpace {
		t.Errorf("error %v", err)
	}
	if _, again := w.Close(); again != err {
		t.Errorf("Close after an error: %v", again)
	}
}

func TestWriteMisuse(t *testing.T) {
	tg := target(t, driver(t, launch(t, command(t, "driver"))), "x")
	good := sdk.NewFile{Path: "f"}
	tests := map[string]func(sdk.Writer) error{
		"outside":     func(w sdk.Writer) error { return w.Begin(sdk.NewFile{Path: "../f"}) },
		"root":        func(w sdk.Writer) error { return w.Begin(sdk.NewFile{Path: "."}) },
		"size":        func(w sdk.Writer) error { return w.Begin(sdk.NewFile{Path: "f", Size: -1}) },
		"nested":      func(w sdk.Writer) error { return errors.Join(w.Begin(good), w.Begin(good)) },
		"early data":  func(w sdk.Writer) error { return w.Data(0, []byte("x")) },
		"early end":   func(w sdk.Writer) error { return w.End(true) },
		"before 0":    func(w sdk.Writer) error { return errors.Join(w.Begin(good), w.Data(-1, []byte("x"))) },
		"beyond":      func(w sdk.Writer) error { return errors.Join(w.Begin(good), w.Data(1<<63-1, []byte("xx"))) },
		"early close": func(w sdk.Writer) error { _, err := w.Close(); return errors.Join(w.Begin(good), err) },
		"open file": func(w sdk.Writer) error {
			err := w.Begin(good)
			_, closing := w.Close()
			return errors.Join(err, closing)
		},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			w, err := tg.Write(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := f(w); sdk.KindOf(err) != sdk.KindInput {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWriteContextEnds(t *testing.T) {
	testWriteContextEnds(t, driver(t, launch(t, command(t, "driver"))))
}

func testWriteContextEnds(t *testing.T, d sdk.Driver) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := target(t, d, "x").Write(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
