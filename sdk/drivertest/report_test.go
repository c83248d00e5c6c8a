package drivertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// dirDriver opens directories for reading, with a wrapper around each source.
type dirDriver struct {
	wrap func(sdk.Source) sdk.Source
	desc func(*sdk.Descriptor)
}

var _ sdk.Driver = (*dirDriver)(nil)

func (d *dirDriver) Describe() sdk.Descriptor {
	out := sdk.Descriptor{Name: "dir", Version: "1", Schemes: []string{"dir"}, Roles: []sdk.Role{sdk.Primary}}
	if d.desc != nil {
		d.desc(&out)
	}
	return out
}

func (d *dirDriver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	if _, err := os.Stat(req.Address.Rest); err != nil {
		return []schema.Diagnostic{{Summary: err.Error()}}
	}
	return nil
}

func (d *dirDriver) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	s, err := localtree.OpenSource(req.Address.Rest, localtree.Options{})
	if err != nil || d.wrap == nil {
		return s, err
	}
	return d.wrap(s), nil
}

func (d *dirDriver) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open"}
}

// bad is a source of which some methods are replaced.
type bad struct {
	sdk.Source
	scan     func(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error
	stat     func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error)
	read     func(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error
	identity func(ctx context.Context) (sdk.Identity, error)
	beacon   func(ctx context.Context) (sdk.Beacon, error)
	close    func() error
}

func (b *bad) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	if b.scan != nil {
		return b.scan(ctx, req, sink)
	}
	return b.Source.Scan(ctx, req, sink)
}

func (b *bad) Stat(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
	if b.stat != nil {
		return b.stat(ctx, paths, f)
	}
	return b.Source.Stat(ctx, paths, f)
}

func (b *bad) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	if b.read != nil {
		return b.read(ctx, paths, sink)
	}
	return b.Source.Read(ctx, paths, sink)
}

func (b *bad) Identity(ctx context.Context) (sdk.Identity, error) {
	if b.identity != nil {
		return b.identity(ctx)
	}
	return b.Source.Identity(ctx)
}

func (b *bad) Beacon(ctx context.Context) (sdk.Beacon, error) {
	if b.beacon != nil {
		return b.beacon(ctx)
	}
	return b.Source.Beacon(ctx)
}

func (b *bad) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.Source.Close()
}

// each is a sink that changes what passes.
type each struct {
	sdk.ScanSink
	entry func(e *sdk.Entry)
	deaf  bool // to the host's errors
}

func (s *each) Entry(e *sdk.Entry) error {
	if s.entry != nil {
		c := *e
		s.entry(&c)
		e = &c
	}
	if err := s.ScanSink.Entry(e); !s.deaf {
		return err
	}
	return nil
}

type eachData struct {
	sdk.ReadSink
	data func(p []byte)
}

func (s *eachData) Data(off int64, p []byte) error {
	c := slices.Clone(p)
	s.data(c)
	return s.ReadSink.Data(off, c)
}

// report runs the reading checks, or some of them, on what is made of a directory.
func report(t *testing.T, d *dirDriver, only ...string) map[string]Result {
	t.Helper()
	out := map[string]Result{}
	Report(t.Context(), Config{
		New:   func() sdk.Driver { return d },
		Scale: 20,
		Only:  only,
		Build: func(_ T, dir string) sdk.Address { return sdk.Address{Scheme: "dir", Rest: dir} },
	}, func(r Result) { out[r.Name] = r })
	return out
}

func TestReportOfGood(t *testing.T) {
	got := report(t, &dirDriver{})
	if len(got) != len(readingChecks)+1 {
		t.Errorf("%d results", len(got))
	}
	for _, r := range got {
		want := Passed
		if r.Name == "Killed" {
			want = Skipped
		}
		if r.Outcome != want {
			t.Errorf("%s: %s, %q", r.Name, r.Outcome, r.Notes)
		}
	}
}

// TestReportOfExisting reads what is there and leaves it as it is.
func TestReportOfExisting(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	var skipped []string
	Report(t.Context(), Config{New: func() sdk.Driver { return &dirDriver{} }, Existing: sdk.Address{Scheme: "dir", Rest: dir}}, func(r Result) {
		if r.Outcome == Failed {
			t.Errorf("%s: %q", r.Name, r.Notes)
		}
		if r.Outcome == Skipped {
			skipped = append(skipped, r.Name)
		}
	})
	if diff := cmp.Diff([]string{"Contents", "Killed"}, skipped); diff != "" {
		t.Error(diff)
	}
	if after, err := os.Stat(dir); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("changed: %v", err)
	}
}

// TestReportOfLarge does not take in a tree of any size.
func TestReportOfLarge(t *testing.T) {
	sent := 0
	d := &dirDriver{wrap: func(s sdk.Source) sdk.Source {
		b := &bad{Source: s}
		b.scan = func(_ context.Context, _ sdk.ScanRequest, sink sdk.ScanSink) error {
			err := sink.BeginDir(0, &sdk.Entry{Name: ".", Type: sdk.TypeDir, ID: sdk.FileID{Ino: 1}})
			for sent = 0; err == nil && sent < 1e6; sent++ {
				err = sink.Entry(&sdk.Entry{Name: fmt.Sprintf("%07d", sent), Type: sdk.TypeSymlink, Target: "x"})
			}
			return err
		}
		return b
	}}
	cfg := Config{
		New:      func() sdk.Driver { return d },
		Existing: sdk.Address{Scheme: "dir", Rest: t.TempDir()}, Only: []string{"WalkTwice"},
	}
	Report(t.Context(), cfg, func(r Result) {
		if diff := cmp.Diff([]string{"looked at the first 5000 entries only"}, r.Notes); r.Outcome != Passed || diff != "" || sent > walkEntries+1 {
			t.Errorf("%s, %d entries taken\n%s", r.Outcome, sent, diff)
		}
	})
}

// TestReportOfBad breaks one rule at a time; the check of that rule must notice.
func TestReportOfBad(t *testing.T) {
	var calls atomic.Int64
	for name, c := range map[string]struct {
		check, note string
		spoil       func(b *bad)
	}{
		"another time at each look": {"WalkTwice", "Mtime", func(b *bad) {
			b.scan = func(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
				return b.Source.Scan(ctx, req, &each{ScanSink: sink, entry: func(e *sdk.Entry) { e.Mtime.Sec += calls.Add(1) }})
			}
		}},
		"unsorted names": {"WalkTwice", "out of order", func(b *bad) {
			b.scan = func(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
				return b.Source.Scan(ctx, req, &each{ScanSink: sink, entry: func(e *sdk.Entry) {
					if e.Name == "empty" {
						e.Name = "zzz"
					}
				}})
			}
		}},
		"other sizes by stat": {"StatAgrees", "Size", func(b *bad) {
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				out, err := b.Source.Stat(ctx, paths, f)
				for i := range out {
					if out[i].Type == sdk.TypeRegular {
						out[i].Size++
					}
				}
				return out, err
			}
		}},
		"wrong data": {"Contents", "differ", func(b *bad) {
			b.read = func(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
				return b.Source.Read(ctx, paths, &eachData{sink, func(p []byte) { p[0] ^= 1 }})
			}
		}},
		"other data each time": {"DataAgrees", "other data", func(b *bad) {
			b.read = func(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
				return b.Source.Read(ctx, paths, &eachData{sink, func(p []byte) { p[0] += byte(calls.Add(1)) }})
			}
		}},
		"missing entries as another error": {"Missing", "stat", func(b *bad) {
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				out, err := b.Source.Stat(ctx, paths, f)
				for i := range out {
					if out[i].Err != nil {
						out[i].Err.Kind = sdk.KindFatal
					}
				}
				return out, err
			}
		}},
		"an answer for every path": {"BadPaths", "stat", func(b *bad) {
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				out, err := b.Source.Stat(ctx, paths, f)
				for i, p := range paths {
					if strings.HasPrefix(string(p), "..") {
						out[i] = sdk.Entry{Name: "etc", Type: sdk.TypeDir}
					}
				}
				return out, err
			}
		}},
		"answers lost beyond a thousand": {"LargeRequests", "answers", func(b *bad) {
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				return b.Source.Stat(ctx, paths[:min(len(paths), 1000)], f)
			}
		}},
		"deaf to the host's error": {"SinkErrors", "want the host's error", func(b *bad) {
			b.scan = func(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
				return b.Source.Scan(ctx, req, &each{ScanSink: sink, deaf: true})
			}
		}},
		"deaf to the context": {"CancelReading", "gave up before", func(b *bad) {
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				return b.Source.Stat(context.WithoutCancel(ctx), paths, f)
			}
		}},
		"one call at a time": {"ConcurrentReading", "stat", func(b *bad) {
			var under atomic.Int64
			b.stat = func(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
				defer under.Add(-1)
				if under.Add(1) > 1 {
					return nil, errors.New("one at a time, please")
				}
				select { // so that others come in
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
				return b.Source.Stat(ctx, paths, f)
			}
		}},
		"another root each time": {"IdentityTwice", "opened once more", func(b *bad) {
			b.identity = func(context.Context) (sdk.Identity, error) {
				return sdk.Identity{Filesystem: "x", Root: sdk.FileID{Ino: uint64(calls.Add(1))}}, nil
			}
		}},
		"a clock that goes back": {"Clock", "the clock says", func(b *bad) {
			b.beacon = func(context.Context) (sdk.Beacon, error) { return sdk.Beacon{Now: sdk.Time{Sec: -calls.Add(1)}}, nil }
		}},
		"open after it was closed": {"CloseReading", "kind gone", func(b *bad) {
			b.close = func() error { return nil }
		}},
		"a panic": {"IdentityTwice", "panicked", func(b *bad) {
			b.identity = func(context.Context) (sdk.Identity, error) { panic("oh") }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := report(t, &dirDriver{wrap: func(s sdk.Source) sdk.Source {
				b := &bad{Source: s}
				c.spoil(b)
				return b
			}}, c.check)
			r := got[c.check]
			if r.Outcome != Failed || !strings.Contains(strings.Join(r.Notes, "\n"), c.note) {
				t.Errorf("%s: %s, %q", c.check, r.Outcome, r.Notes)
			}
		})
	}
}

func TestReportOfBadDescription(t *testing.T) {
	for note, spoil := range map[string]func(*sdk.Descriptor){
		"none of its schemes": func(d *sdk.Descriptor) { d.Schemes = []string{"other"} },
		"incomplete":          func(d *sdk.Descriptor) { d.Version = "" },
		"its default": func(d *sdk.Descriptor) {
			d.Schema = schema.Schema{{Name: "n", Doc: "n", Type: schema.Count, Default: 5}}
		},
		"is none of": func(d *sdk.Descriptor) {
			d.Schema = schema.Schema{{Name: "n", Doc: "n", Type: schema.String, Default: "c", OneOf: []string{"a", "b"}}}
		},
	} {
		var got []Result
		Report(t.Context(), Config{New: func() sdk.Driver { return &dirDriver{desc: spoil} }}, func(r Result) { got = append(got, r) })
		if len(got) != 1 || got[0].Outcome != Failed || !strings.Contains(strings.Join(got[0].Notes, "\n"), note) {
			t.Errorf("want %q: %+v", note, got)
		}
	}
}
