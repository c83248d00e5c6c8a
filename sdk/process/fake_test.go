package process_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// fakeDriver is a driver without a filesystem. What its resources do is said by
// the address: "env", "crash", "hang", "slow-open", "log", "print", or anything
// else for good behaviour.
type fakeDriver struct{ log *slog.Logger }

func newFakeDriver(log *slog.Logger) sdk.Driver { return &fakeDriver{log: log} }

func (d *fakeDriver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name: "fake", Version: "1", Schemes: []string{"fake"}, Roles: []sdk.Role{sdk.Primary, sdk.Secondary}, Native: true,
		Schema: schema.Schema{
			{Name: "entries", Type: schema.Count, Default: int64(10), Doc: "Entries of each directory."},
			{Name: "bytes", Type: schema.Size, Default: int64(1 << 20), Doc: "Size of each file."},
			{Name: "wait", Type: schema.Duration, Default: time.Second, Doc: "Not used."},
		},
	}
}

func (d *fakeDriver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	if req.Address.Rest == "bad" {
		return []schema.Diagnostic{{Attribute: "entries", Summary: "bad", Detail: "do better", Ask: "better entries"}}
	}
	return nil
}

func (d *fakeDriver) open(req sdk.OpenRequest) (*fakeResource, error) {
	if req.Address.Rest == "refused" {
		return nil, fmt.Errorf("open the thing: %w", &sdk.Error{Kind: sdk.KindBusy, Op: "lock", Path: "a\xff/b", Errno: 11, Msg: "held by 7"})
	}
	return &fakeResource{log: d.log, what: req.Address.Rest, entries: req.Config.Int("entries"), bytes: req.Config.Int("bytes")}, nil
}

func (d *fakeDriver) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	return d.open(req)
}

func (d *fakeDriver) OpenTarget(_ context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	return d.open(req)
}

// fakeResource is source and target in one.
type fakeResource struct {
	log     *slog.Logger
	what    string
	entries int64
	bytes   int64

	mu      sync.Mutex
	ops     int
	calls   int // of Apply
	written int64
}

var (
	_ sdk.Source = (*fakeResource)(nil)
	_ sdk.Target = (*fakeResource)(nil)
)

func (r *fakeResource) Info() sdk.Info {
	return sdk.Info{Features: sdk.CanOwner | 1<<30, Endpoint: sdk.Endpoint{Path: "/x"}, Volume: sdk.UUID{7}}
}

func (r *fakeResource) Identity(ctx context.Context) (sdk.Identity, error) {
	id := sdk.Identity{Root: sdk.FileID{Ino: 2, Gen: 3}}
	switch r.what {
	case "env":
		id.Filesystem = strings.Join(os.Environ(), "\n")
	case "crash":
		go panic("the fake panics")
		<-ctx.Done()
		return id, ctx.Err()
	case "hang":
		<-ctx.Done()
		return id, ctx.Err()
	case "deaf":
		select {}
	case "log":
		r.log.Debug("a debug line")
		r.log.Info("an info line", "n", 7)
		r.log.Warn("a warning")
		r.log.Error("an error", slog.Group("g", "k", "v"))
	case "print":
		fmt.Println("printed to stdout")
		fmt.Fprintln(os.Stderr, "printed to stderr")
	case "child":
		// A process that outlives its parent with the pipes in its hands.
		cmd := exec.Command(os.Args[0], "silent")
		cmd.Stderr = os.NewFile(2, "stderr")
		if err := cmd.Start(); err != nil {
			return id, err
		}
		id.Root.Ino = uint64(cmd.Process.Pid)
	case "count":
		r.mu.Lock()
		defer r.mu.Unlock()
		id.Root = sdk.FileID{Ino: uint64(r.ops), Gen: uint64(r.written)}
		id.Filesystem = fmt.Sprint(r.calls)
	}
	return id, nil
}

func (r *fakeResource) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	e := sdk.Entry{Type: sdk.TypeRegular, Perm: 0o644, UID: 1, Nlink: 1, Size: 7, Mtime: sdk.Time{Sec: 1, Nsec: 2}, ID: sdk.FileID{Ino: 5}}
	for i, dir := range req.Dirs {
		if dir.Base() == "missing" {
			if err := sink.EndDir(i, &sdk.Error{Kind: sdk.KindNotExist, Op: "open", Path: dir, Errno: 2}); err != nil {
				return err
			}
			continue
		}
		if err := sink.BeginDir(i, &sdk.Entry{Name: ".", Type: sdk.TypeDir, Perm: 0o755}); err != nil {
			return err
		}
		for n := range r.entries {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			e.Name = fmt.Sprintf("file-%08d", n)
			if r.what == "unsorted" {
				e.Name = fmt.Sprintf("file-%08d", r.entries-n)
			}
			if err := sink.Entry(&e); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
		if r.what == "scan-crash" {
			os.Exit(4)
		}
	}
	return nil
}

func (r *fakeResource) Stat(_ context.Context, paths []sdk.Path, _ sdk.Fields) ([]sdk.Entry, error) {
	out := make([]sdk.Entry, len(paths))
	for i, p := range paths {
		out[i] = sdk.Entry{Name: p.Base(), Type: sdk.TypeDir, Xattrs: []sdk.Xattr{{Name: "user.a", Value: make([]byte, r.bytes)}}}
		if p.Base() == "missing" {
			out[i] = sdk.Entry{Name: p.Base(), Err: &sdk.Error{Kind: sdk.KindNotExist, Op: "stat", Path: p, Errno: 2}}
		}
	}
	return out, nil
}

func (r *fakeResource) Close() error {
	if r.log != nil {
		r.log.Info("fake closed", "what", r.what)
	}
	return nil
}

func fakeBeacon() sdk.Beacon {
	return sdk.Beacon{
		Now: sdk.Time{Sec: -5, Nsec: 6}, Window: time.Millisecond,
		Index: sdk.VolumeMark{Volume: sdk.UUID{7}, Since: sdk.NativeXTime{Sec: 1<<32 - 1, Usec: 8}, Until: sdk.Time{Sec: 9, Nsec: 10}},
	}
}

func (r *fakeResource) Beacon(context.Context) (sdk.Beacon, error) {
	return fakeBeacon(), nil
}

func (r *fakeResource) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	chunk := make([]byte, sdk.MaxChunk)
	for i, p := range paths {
		e := &sdk.Entry{Name: p.Base(), Type: sdk.TypeRegular, Size: r.bytes}
		if p.Base() == "missing" {
			if err := sink.EndFile(i, nil, &sdk.Error{Kind: sdk.KindNotExist, Op: "open", Path: p}); err != nil {
				return err
			}
			continue
		}
		if err := sink.BeginFile(i, e); err != nil {
			return err
		}
		for off := int64(0); off < r.bytes; off += sdk.MaxChunk {
			part := chunk[:min(int64(len(chunk)), r.bytes-off)]
			part[0] = byte(i)
			if err := sink.Data(off, part); err != nil {
				return err
			}
		}
		if err := sink.EndFile(i, e, nil); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *fakeResource) Apply(_ context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	out := make([]sdk.OpResult, len(ops))
	for i, o := range ops {
		switch o.Path.Base() {
		case "fail":
			out[i].Err = &sdk.Error{Kind: sdk.KindNoSpace, Op: "make", Path: o.Path, Errno: 28}
		case "lossy":
			out[i].Lost = sdk.LostOwner
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops += len(ops)
	r.calls++
	return out, nil
}

func (r *fakeResource) Write(ctx context.Context) (sdk.Writer, error) {
	return &fakeWriter{r: r, ctx: ctx}, nil
}

func (r *fakeResource) Sync(context.Context) error {
	if r.what == "full" {
		return &sdk.Error{Kind: sdk.KindNoSpace, Op: "sync", Errno: 28}
	}
	return nil
}

type fakeWriter struct {
	r       *fakeResource
	ctx     context.Context
	results []sdk.OpResult
	size    int64
}

func (w *fakeWriter) Begin(f sdk.NewFile) error {
	res := sdk.OpResult{}
	if f.Path.Base() == "fail" {
		res.Err = &sdk.Error{Kind: sdk.KindPermission, Op: "create", Path: f.Path, Errno: 13}
	}
	w.results = append(w.results, res)
	return nil
}

func (w *fakeWriter) Data(_ int64, p []byte) error {
	if w.r.what == "stream-full" {
		return &sdk.Error{Kind: sdk.KindNoSpace, Op: "write", Errno: 28}
	}
	w.size += int64(len(p))
	return w.ctx.Err()
}

func (w *fakeWriter) End(bool) error { return nil }

func (w *fakeWriter) Close() ([]sdk.OpResult, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.r.written += w.size
	return w.results, nil
}

// fakeTransfer moves nothing. Files called "3" fail.
type fakeTransfer struct{}

func newFakeTransfer(*slog.Logger) sdk.Transfer { return fakeTransfer{} }

func (fakeTransfer) Describe() sdk.TransferDescriptor {
	return sdk.TransferDescriptor{Name: "fakeshift", Version: "2", Delta: true, Schema: schema.Schema{{Name: "jobs", Type: schema.Count, Default: int64(2)}}}
}

func (fakeTransfer) Check(_ context.Context, cfg schema.Values) []schema.Diagnostic {
	if cfg.Int("jobs") == 0 {
		return []schema.Diagnostic{{Attribute: "jobs", Summary: "at least one"}}
	}
	return nil
}

func (fakeTransfer) Run(ctx context.Context, job sdk.Job, files []sdk.File, result func(sdk.FileResult), progress func(int64)) error {
	var sum int64
	for _, f := range files {
		r := sdk.FileResult{Name: f.Name, Moved: f.Size}
		if f.Name == "3" {
			r.Err = &sdk.Error{Kind: sdk.KindChanged, Op: "send", Path: f.Path}
		}
		result(r)
		sum += f.Size
		progress(sum)
	}
	if job.Dir == "bad" {
		return &sdk.Error{Kind: sdk.KindTransient, Op: "shift", Msg: "line cut"}
	}
	return ctx.Err()
}
