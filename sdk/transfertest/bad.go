package transfertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func (s *suite) vanished(t *testing.T) {
	f := s.fixture(t)
	gone := f.add(t, "gone", noise(1, 100))
	deep := f.add(t, "dir/gone", noise(1, 100))
	stays := f.add(t, "stays", noise(2, 100))
	must(t, os.Remove(f.in("gone")))
	must(t, os.RemoveAll(f.in("dir")))
	o := f.run(t.Context(), t, nil)
	must(t, o.err)
	o.wantKind(t, gone, sdk.KindNotExist)
	o.wantKind(t, deep, sdk.KindNotExist)
	if err := o.results[stays].Err; err != nil {
		t.Errorf("the file beside it: %v", err)
	}
}

func (s *suite) swapped(t *testing.T) {
	f := s.fixture(t)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for _, c := range []struct {
		path sdk.Path
		make func(at string) error
	}{
		{"fifo", func(at string) error { return syscall.Mkfifo(at, 0o600) }},
		{"symlink", func(at string) error { return os.Symlink(secret, at) }},
		{"dangling", func(at string) error { return os.Symlink("nowhere", at) }},
		{"directory", func(at string) error { return os.Mkdir(at, 0o700) }},
		{"socket", func(at string) error { return syscall.Mknod(at, syscall.S_IFSOCK|0o600, 0) }},
		{"another", func(at string) error { return os.WriteFile(at, noise(1, 6), 0o600) }},
	} {
		f.add(t, c.path, noise(1, 6))
		// The old one keeps its inode, so that a new one has another.
		must(t, os.Rename(f.in(c.path), f.in(c.path+" before")))
		must(t, c.make(f.in(c.path)))
	}
	stays := f.add(t, "stays", noise(2, 100))
	o := f.run(t.Context(), t, nil)
	must(t, o.err)
	for _, file := range f.files[:len(f.files)-1] {
		o.wantKind(t, file.Name, sdk.KindChanged)
		if _, err := os.Lstat(f.out(file.Name)); err == nil {
			t.Errorf("something was made of %q", file.Path)
		}
	}
	if err := o.results[stays].Err; err != nil {
		t.Errorf("the file beside it: %v", err)
	}
}

func (s *suite) parentSwapped(t *testing.T) {
	f := s.fixture(t)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o600))
	name := f.add(t, "dir/f", []byte("public"))
	must(t, os.Rename(f.in("dir"), f.in("away")))
	must(t, os.Symlink(outside, f.in("dir")))
	f.files[0].ID = sdk.FileID{} // so that the path alone decides
	o := f.run(t.Context(), t, nil)
	must(t, o.err)
	o.wantKind(t, name, sdk.KindChanged)
}

// torn asks for a file that somebody writes to all the time.
func (s *suite) torn(t *testing.T) {
	f := s.fixture(t)
	const size = 24 << 20
	name := f.add(t, "busy", noise(1, size))
	w, err := os.OpenFile(f.in("busy"), os.O_WRONLY, 0)
	must(t, err)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
				if _, err := w.WriteAt([]byte{byte(i)}, i*4096%size); err != nil {
					stopped <- err
					return
				}
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []sdk.FileResult
	err = f.transfer.Run(ctx, f.job, f.files, func(r sdk.FileResult) { got = append(got, r) }, nil)
	close(stop)
	must(t, errors.Join(<-stopped, w.Close(), err))
	if len(got) != 1 || got[0].Name != name || got[0].Err == nil || got[0].Err.Kind != sdk.KindChanged {
		t.Errorf("results %+v, want one error of kind changed", got)
	}
}

func (s *suite) cancelledBefore(t *testing.T) {
	f := s.fixture(t)
	f.add(t, "a", noise(1, 100))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := f.run(ctx, t, nil)
	if !errors.Is(o.err, context.Canceled) {
		t.Errorf("error %v, want the context's", o.err)
	}
}

func (s *suite) cancelledWithin(t *testing.T) {
	f := s.fixture(t)
	for i := range 8 {
		f.add(t, sdk.Path(fmt.Sprintf("large%d", i)), noise(uint64(i), 12<<20))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var at time.Time
	o := f.run(ctx, t, func(n int64) {
		if n > 0 && at.IsZero() {
			at = time.Now()
			cancel()
		}
	})
	took := time.Since(at)
	switch {
	case at.IsZero():
		t.Error("96 MiB moved and no progress was told")
	case len(o.results) < len(f.files) && !errors.Is(o.err, context.Canceled):
		t.Errorf("error %v, want the context's", o.err)
	case took > patience/2:
		t.Errorf("it took %s to stop", took)
	}
	// Soon nobody may be at work in the job's directory. A process is told of the
	// end and not waited for.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		err := os.RemoveAll(filepath.Join(f.target, string(f.job.Dir)))
		if err == nil || time.Now().After(end) {
			must(t, err)
			break
		}
	}
}

func (s *suite) malformed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*fixture)
	}{
		{"name leads out", func(f *fixture) { f.files[0].Name = "../escaped" }},
		{"name is no number", func(f *fixture) { f.files[0].Name = "-e" }},
		{"path leads out", func(f *fixture) { f.files[0].Path = "../x" }},
		{"absolute path", func(f *fixture) { f.files[0].Path = "/etc/passwd" }},
		{"directory leads out", func(f *fixture) { f.job.Dir = "../x" }},
		{"two of one name", func(f *fixture) { f.files = append(f.files, f.files[0]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := s.fixture(t)
			f.add(t, "a", noise(1, 10))
			c.do(f)
			err := f.transfer.Run(t.Context(), f.job, f.files, func(sdk.FileResult) {}, nil)
			if sdk.KindOf(err) != sdk.KindInput {
				t.Errorf("error %v, want one of kind input", err)
			}
		})
	}
}

func (s *suite) noPath(t *testing.T) {
	f := s.fixture(t)
	f.add(t, "a", noise(1, 10))
	f.job.Source = sdk.Endpoint{}
	err := f.transfer.Run(t.Context(), f.job, f.files, func(sdk.FileResult) {}, nil)
	if err == nil {
		t.Error("a source without a path was not refused")
	}
}
