package wasmrun

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

const testdata = "github.com/gsyncd/gsyncd-host/host/plugin/wasmrun/testdata/"

// logs takes log lines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run runs a guest of testdata with little memory and time enough.
func run(t testing.TB, name string, out *logs) *Driver { return runFor(t, name, out, time.Minute) }

// runFor is run with another bound on each answer.
func runFor(t testing.TB, name string, out *logs, callTimeout time.Duration) *Driver {
	t.Helper()
	c := Config{Memory: 32 << 20, CallTimeout: callTimeout, CacheDir: guests.CacheDir()}
	d, err := New(t.Context(), read(t, guests.Module(t, testdata+name)), c, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// rows notes what a scan or a read reports.
type rows struct {
	got  []string
	errs map[int]*sdk.Error
}

func (r *rows) BeginDir(i int, _ *sdk.Entry) error {
	r.got = append(r.got, fmt.Sprint("begin ", i))
	return nil
}

func (r *rows) Entry(e *sdk.Entry) error {
	r.got = append(r.got, e.Name)
	return nil
}

func (r *rows) EndDir(i int, err *sdk.Error) error {
	if err != nil {
		r.errs[i] = err
	}
	r.got = append(r.got, fmt.Sprint("end ", i))
	return nil
}

func (r *rows) BeginFile(i int, e *sdk.Entry) error {
	r.got = append(r.got, fmt.Sprint("begin ", i))
	return nil
}

func (r *rows) Data(_ int64, p []byte) error {
	r.got = append(r.got, string(p))
	return nil
}

func (r *rows) EndFile(i int, _ *sdk.Entry, err *sdk.Error) error { return r.EndDir(i, err) }

// Whatever a guest does at one directory, the others are listed, and the one says
// why it could not be.
func TestGuestFails(t *testing.T) {
	out := &logs{}
	open := func(callTimeout time.Duration) sdk.Source {
		src, err := runFor(t, "clumsy", out, callTimeout).OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy", Rest: "a,b"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { src.Close() })
		return src
	}
	patient, impatient := open(time.Minute), open(2*time.Second) // which a new instance must take, too
	for mode, want := range map[string]struct {
		kind sdk.Kind
		text string
	}{
		"loop":     {sdk.KindTransient, "did not answer within"},
		"memory":   {sdk.KindFatal, "out of memory"},
		"panic":    {sdk.KindFatal, "panic: it had to come"},
		"recurse":  {sdk.KindTransient, "did not answer within"}, // or it runs out of memory before
		"exit":     {sdk.KindFatal, "status 3"},
		"deadlock": {sdk.KindFatal, "deadlock"},
		"sleep":    {sdk.KindTransient, "did not answer within"},
		"gush":     {sdk.KindTransient, "did not answer within"},
	} {
		t.Run(mode, func(t *testing.T) {
			src := patient
			if want.kind == sdk.KindTransient {
				src = impatient
			}
			got := &rows{errs: map[int]*sdk.Error{}}
			if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"a", sdk.Path(mode), "b"}}, got); err != nil {
				t.Fatal(err)
			}
			if e := got.errs[1]; len(got.errs) != 1 || e == nil || (e.Kind != want.kind || !strings.Contains(e.Error(), want.text)) && (mode != "recurse" || e.Kind != sdk.KindFatal) {
				t.Errorf("errors %v", got.errs)
			}
			all := strings.Join(got.got, " ")
			if !strings.HasSuffix(all, "end 1 begin 2 f-b end 2") {
				t.Errorf("rows %s", all)
			}
			if entries, err := src.Stat(t.Context(), []sdk.Path{"a"}, 0); err != nil || len(entries) != 1 {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	if !strings.Contains(out.String(), "msg=scanning directories=3") || !strings.Contains(out.String(), "it had to come") {
		t.Errorf("log:\n%.2000s", out.String())
	}
}

// A guest that fails at a file costs that file.
func TestReadFails(t *testing.T) {
	d := run(t, "clumsy", &logs{})
	src, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy"}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	got := &rows{errs: map[int]*sdk.Error{}}
	if err := src.Read(t.Context(), []sdk.Path{"x/1", "x/r-panic", "x/3"}, got); err != nil {
		t.Fatal(err)
	}
	if len(got.errs) != 1 || got.errs[1] == nil || !strings.HasSuffix(strings.Join(got.got, " "), "end 1 begin 2 x/3 end 2") {
		t.Errorf("%v %v", got.got, got.errs)
	}
	// Half of it has been sent: it cannot begin once more.
	got = &rows{errs: map[int]*sdk.Error{}}
	if err := src.Read(t.Context(), []sdk.Path{"x/1", "x/l-panic", "x/3"}, got); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(got.got, " ")
	if len(got.errs) != 1 || got.errs[1] == nil || strings.Count(all, "begin 1") != 1 || !strings.HasSuffix(all, "end 1 begin 2 x/3 end 2") {
		t.Errorf("%d bytes, errors %v", len(all), got.errs)
	}
}

// A guest that talks without end is heard for a while.
func TestGuestTalks(t *testing.T) {
	out := &logs{}
	d := run(t, "clumsy", out)
	src, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy"}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	begin := time.Now()
	if _, err := src.Stat(t.Context(), []sdk.Path{"talk"}, 0); err != nil {
		t.Fatal(err)
	}
	most := 4 * (spoutBurst + spoutRate*int(time.Since(begin)/time.Second+1))
	if n := len(out.String()); n > most || n < 1000 {
		t.Errorf("%d bytes of log", n)
	}
}

// When the guest of a target fails, nobody knows what was done: it is gone, and can
// be opened anew.
func TestTargetFails(t *testing.T) {
	d := run(t, "clumsy", &logs{})
	open := func() sdk.Target {
		dst, err := d.OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy"}, MarkKey: "k"})
		if err != nil {
			t.Fatal(err)
		}
		return dst
	}
	dst := open()
	if _, err := dst.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: "panic"}}); err == nil {
		t.Fatal("no error")
	}
	if err := dst.Sync(t.Context()); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("sync after that: %v", err)
	}
	if err := dst.Close(); err != nil {
		t.Error(err)
	}
	dst = open()
	if err := dst.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if err := dst.Close(); err != nil {
		t.Error(err)
	}
}

// A guest that cannot even be opened says why.
func TestOpenFails(t *testing.T) {
	d := run(t, "clumsy", &logs{})
	for range 2 {
		_, err := d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "clumsy", Rest: "panic"}})
		var e *sdk.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "it had to come") {
			t.Errorf("error %v", err)
		}
	}
}

// listing are the rows of a directory with two files.
func listing(t *testing.T) (rows []byte) {
	t.Helper()
	enc := wire.NewScanEncoder(1, func(b []byte) error {
		rows = append(rows, b...)
		return nil
	})
	file := func(name string) *sdk.Entry { return &sdk.Entry{Name: name, Type: sdk.TypeRegular} }
	if err := errors.Join(enc.BeginDir(0, &sdk.Entry{Name: ".", Type: sdk.TypeDir}), enc.Entry(file("ab")), enc.Entry(file("cd")), enc.EndDir(0, nil), enc.Close()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// newRogue makes a guest whose answer to a scan is the given one.
func newRogue(t *testing.T, scan []byte, raw map[byte]uint64) *Driver {
	t.Helper()
	manifest, err := wire.AppendManifest([]byte{0}, sdk.Descriptor{Name: "rogue", Version: "1", Schemes: []string{"rogue"}, Roles: []sdk.Role{sdk.Primary}})
	if err != nil {
		t.Fatal(err)
	}
	m := wasmtest.Module{Version: wire.ABI, Raw: raw, Answers: map[byte][]byte{
		byte(wasm.Describe): manifest, byte(wasm.Open): wire.AppendInfo([]byte{0, 1, 0, 0, 0}, sdk.Info{}), byte(wasm.Close): {0},
		byte(wasm.Identity): wire.AppendIdentity([]byte{0}, sdk.Identity{Filesystem: "rogue:1"}),
	}}
	if raw == nil {
		m.Answers[byte(wasm.Scan)] = scan
	}
	f := &wasmfile.File{Path: "rogue.wasm", Data: m.Assemble()}
	d, err := New(t.Context(), f, Config{CacheDir: guests.CacheDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Answers that break the rules are refused, and cost the directory that they are
// about.
func TestRogueAnswers(t *testing.T) {
	whole := append([]byte{0, 0, 0, 0, 0}, listing(t)...)
	swap := func(name string) []byte { return bytes.Replace(whole, []byte("\x02ab"), []byte("\x02"+name), 1) }
	lying := bytes.Clone(whole)
	copy(lying[6:], "\xff\xff\xff\xff")
	garbage := bytes.Clone(whole)
	for i := range garbage[5:] {
		garbage[5+i] ^= 0x5a
	}
	for name, test := range map[string]struct {
		scan []byte
		raw  uint64
		want string
	}{
		"good": {scan: whole}, "dotdot": {swap(".."), 0, "leads out"}, "slash": {swap("a/"), 0, "separator"}, "NUL": {swap("a\x00"), 0, "NUL"}, "unsorted": {swap("zz"), 0, "not sorted"},
		"garbage": {garbage, 0, "malformed"}, "cut": {whole[:len(whole)-3], 0, "cut short"}, "half": {whole[:len(whole)-11], 0, "malformed"},
		"twice": {append(bytes.Clone(whole), whole[5:]...), 0, "malformed"}, "lying length": {lying, 0, "row of"},
		"no handle": {[]byte{0, 1}, 0, "malformed"}, "empty": {[]byte{}, 0, "none of the known"}, "no status": {[]byte{7}, 0, "none of the known"},
		"huge": {nil, 1024<<32 | 0x7fff_ffff, "too long"}, "outside": {nil, 0xffff_0000<<32 | 100, "outside of its memory"}, "bad error": {[]byte{1, 99}, 0, "cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			var raw map[byte]uint64
			if test.raw != 0 {
				raw = map[byte]uint64{byte(wasm.Scan): test.raw}
			}
			src, err := newRogue(t, test.scan, raw).OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "rogue"}})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			got := &rows{errs: map[int]*sdk.Error{}}
			err = src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"a"}}, got)
			if f := got.errs[0]; err == nil && f != nil {
				err = f
			}
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || sdk.KindOf(err) != sdk.KindFatal || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q; rows %v", err, test.want, got.got)
			}
			if id, err := src.Identity(t.Context()); err != nil || id.Filesystem != "rogue:1" {
				t.Errorf("afterwards: %v %v", id, err)
			}
		})
	}
}

// A guest that calls the host with whatever comes to its mind does no harm, and one
// that has no room for a request is told apart from one that has.
func TestRogueCalls(t *testing.T) {
	src, err := run(t, "rogue", &logs{}).OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "rogue"}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	got := &rows{errs: map[int]*sdk.Error{}}
	if err := src.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"host", "b"}}, got); err != nil || len(got.errs) > 0 || len(got.got) != 8 {
		t.Errorf("calls of the host: %v %v", err, got)
	}
	long := sdk.Path(strings.Repeat(strings.Repeat("x", 200)+"/", 150) + "x")
	if _, err := src.Stat(t.Context(), []sdk.Path{long, long, long}, 0); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("no room for a request: %v", err)
	}
}
