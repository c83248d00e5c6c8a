package mirror_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// toll is what a run takes of both sides.
type toll struct {
	mu     sync.Mutex
	looked map[sdk.Path]int // directories that the marker listed
	read   []sdk.Path       // files whose data were asked for
	listed []sdk.Path       // directories that were listed on the secondary
	ops    []sdk.Op
	writes int // streams of data to the secondary
}

// count has the runs of a rig counted. All data go through its hooks.
func (r *rig) count() *toll {
	c := &toll{looked: map[sdk.Path]int{}}
	r.streamed = true
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{
			scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
				c.mu.Lock()
				if req.Fields&sdk.FieldTarget == 0 {
					for _, p := range req.Dirs {
						c.looked[p]++
					}
				}
				c.mu.Unlock()
				return next(req, sink)
			},
			read: func(paths []sdk.Path, sink sdk.ReadSink, next func([]sdk.Path, sdk.ReadSink) error) error {
				c.mu.Lock()
				c.read = append(c.read, paths...)
				c.mu.Unlock()
				return next(paths, sink)
			},
		}}
	}
	r.wrapTarget = func(s sdk.Target) sdk.Target {
		return hookTarget{s, &hooks{
			scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
				c.mu.Lock()
				c.listed = append(c.listed, req.Dirs...)
				c.mu.Unlock()
				return next(req, sink)
			},
			apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
				c.mu.Lock()
				c.ops = append(c.ops, ops...)
				c.mu.Unlock()
				return next(ops)
			},
			write: func(next func() (sdk.Writer, error)) (sdk.Writer, error) {
				c.mu.Lock()
				c.writes++
				c.mu.Unlock()
				return next()
			},
		}}
	}
	return c
}

// TestReboot kills a mirror with the machine under it: its filesystem comes back under
// another device number. The next start lists the primary once, without its data. It
// stamps what differs and brings that alone, and where nothing does the secondary is
// asked for no more than its root's mark.
func TestReboot(t *testing.T) {
	for _, events := range []string{"", watch.Fanotify} {
		t.Run("by "+events, func(t *testing.T) {
			t.Parallel()
			d := newPowered(t, 64<<20, "mkfs.ext4", "-q", "-F")
			r := newRigAt(t, memoryDir(t))
			r.primary, r.events = filepath.Join(d.dir, "p"), events
			r.must(os.Mkdir(r.primary, 0o755))
			r.sh("for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4; do mkdir -p $i/$j; for k in a b c; do echo $i $j $k >$i/$j/$k; done; done; done")
			r.age()
			r.sync()
			ids := r.directories()

			reboot := func(meanwhile string) (before, after map[sdk.Path]sdk.XTime, c *toll) {
				t.Helper()
				r.killed(ids, &before) // by a run that finds nothing to do
				was := deviceOf(t, r.primary)
				d.remount(func() { d.occupy(was) })
				if deviceOf(t, r.primary) == was {
					t.Fatalf("the filesystem is on loop device %d again", was)
				}
				r.sh(meanwhile)
				r.age()
				c = r.count()
				r.ended = func(index *marker.Marker, _ sdk.Source) { after = xtimesOf(t, index, ids) }
				r.sync()
				r.ended, r.wrapSource, r.wrapTarget = nil, nil, nil
				r.equal()
				looks := int(r.tracker.Snapshot().Turns)
				for p := range ids {
					if n := c.looked[p]; n < 1 || n > looks || events != "" && n > 2 {
						t.Errorf("%s was listed %d times in %d looks", p, n, looks)
					}
				}
				return before, after, c
			}

			before, after, c := reboot("true")
			if got := newer(before, after); len(got) > 0 || len(c.read)+len(c.listed)+len(c.ops)+c.writes > 0 {
				t.Errorf("nothing changed, but %q were stamped, %q read, %q listed on the secondary, %v done", got, c.read, c.listed, c.ops)
			}
			before, after, c = reboot("echo changed >3/2/b")
			way := []sdk.Path{sdk.Root, "3", "3/2"}
			if got := newer(before, after); !slices.Equal(got, way) {
				t.Errorf("stamped: %q", got)
			}
			if slices.ContainsFunc(c.read, func(p sdk.Path) bool { return p != "3/2/b" }) || len(c.read) != 1 || c.writes != 1 {
				t.Errorf("read: %q, in %d streams", c.read, c.writes)
			}
			if slices.ContainsFunc(c.listed, func(p sdk.Path) bool { return !slices.Contains(way, p) }) {
				t.Errorf("listed on the secondary: %q", c.listed)
			}
			for _, o := range c.ops {
				if !slices.Contains(way, o.Path) && o.Path != "3/2/b" {
					t.Errorf("done: %s %s", o.Kind, o.Path)
				}
			}
		})
	}
}

// killed makes a run that ends in a kill, and tells the xtimes that the index has then.
func (r *rig) killed(ids map[sdk.Path]sdk.FileID, xtimes *map[sdk.Path]sdk.XTime) {
	r.t.Helper()
	index, kept := filepath.Join(r.state, "index"), r.t.TempDir()
	r.ended = func(m *marker.Marker, _ sdk.Source) {
		*xtimes = xtimesOf(r.t, m, ids)
		r.must(os.CopyFS(kept, os.DirFS(index)))
	}
	r.closed = func() { r.must(errors.Join(os.RemoveAll(index), os.CopyFS(index, os.DirFS(kept)))) }
	r.must(r.run(mirror.Options{Once: true}))
	r.ended, r.closed = nil, nil
}

// directories gives the identities of the primary's.
func (r *rig) directories() map[sdk.Path]sdk.FileID {
	r.t.Helper()
	out := map[sdk.Path]sdk.FileID{}
	r.wrapSource = func(s sdk.Source) sdk.Source {
		return hookSource{s, &hooks{scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			return next(req, &selfSink{sink, req.Dirs, out})
		}}}
	}
	r.sync()
	r.wrapSource = nil
	return out
}

type selfSink struct {
	sdk.ScanSink
	dirs []sdk.Path
	ids  map[sdk.Path]sdk.FileID
}

func (s *selfSink) BeginDir(i int, self *sdk.Entry) error {
	s.ids[s.dirs[i]] = self.ID
	return s.ScanSink.BeginDir(i, self)
}

func xtimesOf(t *testing.T, m *marker.Marker, ids map[sdk.Path]sdk.FileID) map[sdk.Path]sdk.XTime {
	t.Helper()
	out := map[sdk.Path]sdk.XTime{}
	for p, id := range ids {
		x, ok := m.XTime(id)
		if !ok {
			t.Errorf("%s has no xtime", p)
		}
		out[p] = x
	}
	return out
}

// newer gives the directories whose xtime is another.
func newer(before, after map[sdk.Path]sdk.XTime) (out []sdk.Path) {
	for p, x := range after {
		if before[p] != x {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// deviceOf gives the minor number of the device that path is on.
func deviceOf(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return unix.Minor(st.Dev)
}

// occupy has something else on a loop device that is about to be free, until the test
// ends. If somebody else is faster that will do as well.
func (d *powered) occupy(minor uint32) {
	d.t.Helper()
	file, loop := filepath.Join(d.t.TempDir(), "other"), fmt.Sprintf("/dev/loop%d", minor)
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 1<<20)); err != nil {
		d.t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(5 * time.Second); time.Now().Before(limit); <-tick.C {
		if exec.Command("losetup", loop, file).Run() == nil {
			d.t.Cleanup(func() { d.run("losetup", "-d", loop) })
			return
		}
	}
}
