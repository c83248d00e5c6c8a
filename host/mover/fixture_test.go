package mover_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// pair is a primary and a secondary on this machine, with the real file driver.
type pair struct {
	from, to string
	source   sdk.Source
	target   sdk.Target
	staged   int
}

func newPair(t *testing.T) *pair { return pairAt(t, t.TempDir(), t.TempDir()) }

func pairAt(t *testing.T, from, to string) *pair {
	t.Helper()
	p := &pair{from: from, to: to}
	d := file.New(nil)
	values, err := d.Describe().Schema.WithDefaults(nil)
	must(t, err)
	p.source, err = d.OpenSource(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: from}, Role: sdk.Primary, Config: values})
	must(t, err)
	t.Cleanup(func() { p.source.Close() })
	p.target, err = d.OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: to}, Role: sdk.Secondary, Config: values, MarkKey: "test"})
	must(t, err)
	t.Cleanup(func() { p.target.Close() })
	return p
}

// remoteSource hides where the source is, so that only its driver reaches it.
type remoteSource struct{ sdk.Source }

func (r remoteSource) Info() sdk.Info { return sdk.Info{Features: r.Source.Info().Features} }

func (p *pair) write(t *testing.T, path sdk.Path, data []byte) {
	t.Helper()
	at := filepath.Join(p.from, string(path))
	must(t, os.MkdirAll(filepath.Dir(at), 0o700))
	must(t, os.MkdirAll(filepath.Join(p.to, string(path.Dir())), 0o700))
	must(t, os.WriteFile(at, data, 0o600))
}

// job asks for the file at path, as it and its earlier version are now.
func (p *pair) job(t *testing.T, path sdk.Path) mover.Job {
	t.Helper()
	p.staged++
	j := mover.Job{Path: path, Staged: path.Dir().Join(sdk.ReservedPrefix + strconv.Itoa(p.staged))}
	now, err := p.source.Stat(t.Context(), []sdk.Path{path}, 0)
	must(t, err)
	j.Entry = now[0]
	old, err := p.target.Stat(t.Context(), []sdk.Path{path}, 0)
	must(t, err)
	if old[0].Type == sdk.TypeRegular {
		j.Old = &old[0]
	}
	return j
}

func (p *pair) mover(t *testing.T, cfg mover.Config) *mover.Mover {
	t.Helper()
	if cfg.Source == nil {
		cfg.Source = p.source
	}
	if cfg.Target == nil {
		cfg.Target = p.target
	}
	m, err := mover.New(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

// run moves the files and returns the results by path.
func run(t *testing.T, m *mover.Mover, jobs ...mover.Job) map[sdk.Path]mover.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in := make(chan mover.Job, len(jobs))
	for _, j := range jobs {
		in <- j
	}
	close(in)
	var mu sync.Mutex
	out := map[sdk.Path]mover.Result{}
	must(t, m.Run(ctx, in, func(r mover.Result) {
		mu.Lock()
		defer mu.Unlock()
		if _, twice := out[r.Job.Path]; twice {
			t.Errorf("%q has two results", r.Job.Path)
		}
		out[r.Job.Path] = r
	}))
	if len(out) != len(jobs) {
		t.Errorf("%d results for %d jobs", len(out), len(jobs))
	}
	return out
}

// look is what has to be equal on both sides.
type look struct {
	Mode   os.FileMode
	UID    uint32
	GID    uint32
	Mtime  int64
	Size   int64
	Xattrs map[string]string
	Data   string
}

func lookAt(t *testing.T, path string) look {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	data, err := os.ReadFile(path)
	must(t, err)
	l := look{Mode: info.Mode(), UID: st.Uid, GID: st.Gid, Mtime: info.ModTime().UnixNano(), Size: info.Size(), Xattrs: map[string]string{}, Data: string(data)}
	buf := make([]byte, 4096)
	n, err := syscall.Listxattr(path, buf)
	if err != nil && err != syscall.EOPNOTSUPP {
		t.Fatal(err)
	}
	for name := range splitNul(string(buf[:max(n, 0)])) {
		v := make([]byte, 4096)
		k, err := syscall.Getxattr(path, name, v)
		must(t, err)
		l.Xattrs[name] = string(v[:k])
	}
	return l
}

func (p *pair) equal(t *testing.T, j mover.Job) {
	t.Helper()
	want := lookAt(t, filepath.Join(p.from, string(j.Path)))
	got := lookAt(t, filepath.Join(p.to, string(j.Staged)))
	if want.Data != got.Data {
		t.Errorf("%q: the data differ (%d and %d bytes)", j.Path, len(want.Data), len(got.Data))
	}
	want.Data, got.Data = "", ""
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%q: attributes (-primary +secondary):\n%s", j.Path, d)
	}
}

// clean checks that nothing of ours is left on the secondary but for what was
// staged.
func (p *pair) clean(t *testing.T, results map[sdk.Path]mover.Result) {
	t.Helper()
	staged := map[string]bool{}
	for _, r := range results {
		if r.Err == nil && !r.Unchanged {
			staged[filepath.Join(p.to, string(r.Job.Staged))] = true
		}
	}
	must(t, filepath.WalkDir(p.to, func(path string, d os.DirEntry, err error) error {
		if err == nil && sdk.Reserved(d.Name()) && !staged[path] {
			t.Errorf("%s is left behind", path)
		}
		return err
	}))
}

func withRsync(cfg mover.Config) mover.Config {
	cfg.Transfer = func(context.Context) (sdk.Transfer, error) { return rsync.New(nil), nil }
	cfg.TransferConfig, _ = rsync.New(nil).Describe().Schema.WithDefaults(schema.Values{})
	return cfg
}

func splitNul(s string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			i := 0
			for s[i] != 0 {
				i++
			}
			if !yield(s[:i]) {
				return
			}
			s = s[i+1:]
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
