//go:build !wasip1

package grant

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// local serves grants directly.
type local struct {
	config Config
	web    web

	mu    sync.Mutex
	roots []*localfs.Root // opened at the first use
}

var _ backend = (*local)(nil)

func newLocal(c Config) *local {
	return &local{config: c, roots: make([]*localfs.Root, len(c.Dirs)), web: web{origins: c.HTTP}}
}

func (l *local) granted() ([]DirConfig, error) { return l.config.Dirs, nil }

// root opens a granted directory, which then stays the same one.
func (l *local) root(dir int) (*localfs.Root, error) {
	if dir < 0 || dir >= len(l.config.Dirs) {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "find grant", Msg: "there is no directory " + strconv.Itoa(dir)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.roots[dir] != nil {
		return l.roots[dir], nil
	}
	r, err := localfs.Open(l.config.Dirs[dir].Path)
	if err != nil {
		e := sdk.NewError("open granted directory "+l.config.Dirs[dir].Path, "", err)
		return nil, e
	}
	l.roots[dir] = r
	return r, nil
}

func (l *local) list(ctx context.Context, dir int, p sdk.Path, each func(*sdk.Entry) error) error {
	r, err := l.root(dir)
	if err != nil {
		return err
	}
	d, err := r.OpenDir(p)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.ReadNames()
	if err != nil {
		return err
	}
	for i := range names.Len() {
		if i%sdk.MaxBatch == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := describe(d, names.At(i))
		if sdk.KindOf(err) == sdk.KindNotExist && err != nil {
			continue // removed meanwhile
		}
		if err != nil {
			e = sdk.Entry{Name: names.At(i), Err: sdk.NewError("stat", p.Join(names.At(i)), err)}
		}
		if err := each(&e); err != nil {
			return err
		}
	}
	return nil
}

func describe(d *localfs.Dir, name string) (sdk.Entry, error) {
	e, err := d.Lstat(name)
	if err == nil && e.Type == sdk.TypeSymlink {
		e.Target, err = d.Readlink(name)
	}
	return e, err
}

func (l *local) stat(_ context.Context, dir int, p sdk.Path) (sdk.Entry, error) {
	r, err := l.root(dir)
	if err != nil {
		return sdk.Entry{}, err
	}
	if p == sdk.Root {
		d, err := r.OpenDir(p)
		if err != nil {
			return sdk.Entry{}, err
		}
		defer d.Close()
		return d.Stat()
	}
	d, name, err := r.OpenParent(p)
	if err != nil {
		return sdk.Entry{}, err
	}
	defer d.Close()
	return describe(d, name)
}

func (l *local) open(_ context.Context, dir int, p sdk.Path) (file, sdk.Entry, error) {
	r, err := l.root(dir)
	if err != nil {
		return nil, sdk.Entry{}, err
	}
	f, err := r.OpenFile(p)
	if err != nil {
		return nil, sdk.Entry{}, err
	}
	e, err := r.StatFile(f)
	if err != nil {
		f.Close()
		return nil, sdk.Entry{}, err
	}
	e.Name = p.Base()
	return &localFile{f: f, path: p}, e, nil
}

func (l *local) do(ctx context.Context, req *Request) (*Response, error) { return l.web.do(ctx, req) }

func (l *local) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for i, r := range l.roots {
		if r != nil {
			errs = append(errs, r.Close())
		}
		l.roots[i] = nil
	}
	l.web.close()
	return errors.Join(errs...)
}

// localFile gives errors their place.
type localFile struct {
	f    *os.File
	path sdk.Path
}

func (f *localFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, sdk.NewError("read", f.path, err)
	}
	return n, err
}

func (f *localFile) Close() error {
	if err := f.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return sdk.NewError("close", f.path, err)
	}
	return nil
}
