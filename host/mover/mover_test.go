package mover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// way is one of the ways files can go.
type way struct {
	name   string
	method string // as results tell it
	cfg    func(*pair) mover.Config
}

func ways(t *testing.T) []way {
	all := []way{
		{"direct", "stream", func(*pair) mover.Config { return mover.Config{Method: "stream"} }},
		{"streamed", "stream", func(p *pair) mover.Config {
			return mover.Config{Method: "stream", Source: remoteSource{p.source}}
		}},
		{"streamed from here", "stream", func(p *pair) mover.Config {
			return mover.Config{Method: "stream", Target: behindShell{p.target}}
		}},
	}
	if _, err := exec.LookPath("rsync"); err == nil {
		return append(all, way{"rsync", "rsync", func(*pair) mover.Config { return withRsync(mover.Config{Method: "rsync"}) }})
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("rsync is not installed: apt install rsync")
	}
	t.Log("NOT TESTED with rsync: it is not installed (apt install rsync)")
	return all
}

func eachWay(t *testing.T, f func(t *testing.T, p *pair, w way)) {
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) { f(t, newPair(t), w) })
	}
}

func pattern(n int, salt byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8)*31 ^ byte(i) + salt | 1
	}
	return b
}

// sizes around the borders of the ways a file is read.
var sizes = []int{0, 1, 4095, 4096, 4097, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3<<20 + 7}

func TestEqualResults(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		var jobs []mover.Job
		for i, n := range sizes {
			path := sdk.Path(fmt.Sprintf("d%d/\xff\n-f%d", i%2, n))
			p.write(t, path, pattern(n, byte(i)))
			at := filepath.Join(p.from, string(path))
			if os.Geteuid() == 0 {
				must(t, os.Chown(at, 1234, 5678))
			}
			must(t, syscall.Setxattr(at, "user.colour", []byte("green"), 0))
			must(t, os.Chmod(at, 0o640|os.ModeSetgid*os.FileMode(i%2)))
			must(t, os.Chtimes(at, time.Time{}, time.Unix(1000000000+int64(i), 123456789)))
			jobs = append(jobs, p.job(t, path))
		}
		m := p.mover(t, w.cfg(p))
		results := run(t, m, jobs...)
		for _, j := range jobs {
			r := results[j.Path]
			if r.Err != nil || r.Method != w.method || r.Bytes != j.Entry.Size || r.Lost != 0 {
				t.Errorf("%q: %+v", j.Path, r)
				continue
			}
			if len(r.Entry.Xattrs) != 1 || r.Entry.Mtime != j.Entry.Mtime || r.Entry.ID != j.Entry.ID || r.Entry.Name != j.Path.Base() {
				t.Errorf("%q: entry %+v", j.Path, r.Entry)
			}
			p.equal(t, j)
		}
		p.clean(t, results)
		if s := m.Stats(); len(s) != 1 || s[0].Method != w.method || s[0].Files != len(jobs) {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestHolesKept(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		const size = 24 << 20
		var jobs []mover.Job
		for _, c := range []struct {
			path sdk.Path
			at   int64
			size int64
		}{{"middle", size / 2, size}, {"start", 0, size}, {"end", size - 3, size}, {"small", 40 << 10, 200 << 10}, {"none", -1, size}} {
			p.write(t, c.path, nil)
			f, err := os.OpenFile(filepath.Join(p.from, string(c.path)), os.O_WRONLY, 0)
			must(t, err)
			if c.at >= 0 {
				_, err = f.WriteAt([]byte("abc"), c.at)
				must(t, err)
			}
			must(t, errors.Join(f.Truncate(c.size), f.Close()))
			jobs = append(jobs, p.job(t, c.path))
		}
		results := run(t, p.mover(t, w.cfg(p)), jobs...)
		for _, j := range jobs {
			must(t, errOf(results[j.Path]))
			p.equal(t, j)
			var in, out syscall.Stat_t
			must(t, syscall.Stat(filepath.Join(p.from, string(j.Path)), &in))
			must(t, syscall.Stat(filepath.Join(p.to, string(j.Staged)), &out))
			if out.Blocks > in.Blocks+512 {
				t.Errorf("%q: %d blocks became %d", j.Path, in.Blocks, out.Blocks)
			}
		}
	})
}

func errOf(r mover.Result) error {
	if r.Err == nil {
		return nil
	}
	return r.Err
}

func TestGoneAndSwapped(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		var jobs []mover.Job
		for _, path := range []sdk.Path{"gone", "fifo", "link", "dir", "newer", "plain"} {
			p.write(t, path, []byte("first"))
			jobs = append(jobs, p.job(t, path))
		}
		at := func(n string) string { return filepath.Join(p.from, n) }
		for _, n := range []string{"gone", "fifo", "link", "dir", "newer"} {
			must(t, os.Rename(at(n), filepath.Join(t.TempDir(), n)))
		}
		must(t, syscall.Mkfifo(at("fifo"), 0o600))
		must(t, os.Symlink("/etc/passwd", at("link")))
		must(t, os.Mkdir(at("dir"), 0o700))
		must(t, os.WriteFile(at("newer"), []byte("second"), 0o600))
		results := run(t, p.mover(t, w.cfg(p)), jobs...)
		for path, want := range map[sdk.Path]sdk.Kind{"gone": sdk.KindNotExist, "fifo": sdk.KindChanged, "link": sdk.KindChanged, "dir": sdk.KindChanged} {
			if r := results[path]; r.Err == nil || r.Err.Kind != want {
				t.Errorf("%q: %v, want kind %s", path, r.Err, want)
			}
		}
		for _, path := range []sdk.Path{"newer", "plain"} {
			must(t, errOf(results[path]))
			p.equal(t, results[path].Job)
		}
		p.clean(t, results)
	})
}

// TestWhoseError: people are sent to the side that has to be mended.
func TestWhoseError(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		for _, path := range []sdk.Path{"gone", "d/file", "e/gone", "e/file"} {
			p.write(t, path, pattern(9000, 1))
		}
		jobs := []mover.Job{p.job(t, "gone"), p.job(t, "d/file"), p.job(t, "e/gone"), p.job(t, "e/file")}
		must(t, os.Remove(filepath.Join(p.from, "gone")))
		must(t, os.Remove(filepath.Join(p.from, "e/gone")))
		must(t, os.Remove(filepath.Join(p.to, "d")))
		results := run(t, p.mover(t, w.cfg(p)), jobs...)
		for path, secondary := range map[sdk.Path]bool{"gone": false, "d/file": true, "e/gone": false} {
			if r := results[path]; r.Err == nil || (r.Side == sdk.Secondary) != secondary {
				t.Errorf("%q: %v, side %d", path, r.Err, r.Side)
			}
		}
		must(t, errOf(results["e/file"]))
	})
}

// TestTorn has somebody write to a file whenever a part of it has moved.
func TestTorn(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		p.write(t, "busy", pattern(8<<20, 1))
		f, err := os.OpenFile(filepath.Join(p.from, "busy"), os.O_WRONLY, 0)
		must(t, err)
		defer f.Close()
		cfg := w.cfg(p)
		var n atomic.Int64
		cfg.Progress = func(int64) {
			if _, err := f.WriteAt([]byte{byte(n.Add(1))}, 4096); err != nil {
				t.Error(err)
			}
		}
		results := run(t, p.mover(t, cfg), p.job(t, "busy"))
		if r := results["busy"]; r.Err == nil || r.Err.Kind != sdk.KindChanged || r.Err.Msg != "file keeps changing" {
			t.Errorf("error %v after %d writes", r.Err, n.Load())
		}
		p.clean(t, results)
	})
}

// TestChangedOnce has the file change in the first attempt alone: the newer
// version arrives.
func TestChangedOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		p.write(t, "once", pattern(8<<20, 1))
		cfg := w.cfg(p)
		var once sync.Once
		cfg.Progress = func(int64) { once.Do(func() { p.write(t, "once", pattern(3<<20, 2)) }) }
		results := run(t, p.mover(t, cfg), p.job(t, "once"))
		must(t, errOf(results["once"]))
		p.equal(t, results["once"].Job)
		p.clean(t, results)
	})
}

func TestNoSpace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: mounting a small filesystem needs root")
	}
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			small := t.TempDir()
			if err := syscall.Mount("none", small, "tmpfs", 0, "size=4M"); err != nil {
				t.Skipf("SKIPPED, NOT TESTED: mount: %v", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			p := pairAt(t, t.TempDir(), small)
			p.write(t, "large", pattern(6<<20, 1))
			p.write(t, "fits", pattern(100, 1))
			m := p.mover(t, w.cfg(p))
			results := run(t, m, p.job(t, "large"))
			if r := results["large"]; r.Err == nil || r.Err.Kind != sdk.KindNoSpace || r.Err.Errno != syscall.ENOSPC {
				t.Errorf("error %v", r.Err)
			}
			p.clean(t, results)
			again := run(t, m, p.job(t, "large"), p.job(t, "fits"))
			if r := again["large"]; r.Err == nil || r.Err.Kind != sdk.KindNoSpace {
				t.Errorf("the second time: error %v", r.Err)
			}
			must(t, errOf(again["fits"]))
			p.clean(t, again)
		})
	}
}

func TestCompare(t *testing.T) {
	p := newPair(t)
	data := pattern(600<<10, 1)
	other := bytes.Clone(data)
	other[len(other)-1]++
	for path, there := range map[sdk.Path][]byte{"equal": data, "differs": other, "shorter": data[:100]} {
		p.write(t, path, data)
		must(t, os.WriteFile(filepath.Join(p.to, string(path)), there, 0o600))
	}
	p.write(t, "absent", data)
	var jobs []mover.Job
	for _, path := range []sdk.Path{"equal", "differs", "shorter", "absent"} {
		j := p.job(t, path)
		j.Compare = true
		jobs = append(jobs, j)
	}
	results := run(t, p.mover(t, mover.Config{}), jobs...)
	for _, j := range jobs {
		r := results[j.Path]
		must(t, errOf(r))
		if want := j.Path == "equal"; r.Unchanged != want {
			t.Errorf("%q: unchanged %v", j.Path, r.Unchanged)
		}
		if !r.Unchanged {
			p.equal(t, j)
		}
	}
	p.clean(t, results)
}

func TestRate(t *testing.T) {
	for _, w := range ways(t)[:2] {
		t.Run(w.name, func(t *testing.T) {
			p := newPair(t)
			cfg := w.cfg(p)
			const rate = 2 << 20
			cfg.Rate = rate
			var jobs []mover.Job
			for i := range 4 {
				path := sdk.Path(fmt.Sprint("f", i))
				p.write(t, path, pattern(300<<10, byte(i)))
				jobs = append(jobs, p.job(t, path))
			}
			start := time.Now()
			run(t, p.mover(t, cfg), jobs...)
			if took := time.Since(start); took < 400*time.Millisecond {
				t.Errorf("1.2 MB at 2 MiB/s took %s", took)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	eachWay(t, func(t *testing.T, p *pair, w way) {
		p.write(t, "large", pattern(64<<20, 1))
		cfg := w.cfg(p)
		cfg.Rate = 8 << 20
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg.Progress = func(int64) { cancel() }
		jobs := make(chan mover.Job, 1)
		jobs <- p.job(t, "large")
		// The channel stays open: the end of ctx is enough.
		start := time.Now()
		err := p.mover(t, cfg).Run(ctx, jobs, func(mover.Result) {})
		if !errors.Is(err, context.Canceled) || time.Since(start) > time.Minute {
			t.Errorf("error %v after %s", err, time.Since(start))
		}
		p.clean(t, nil)
	})
}
