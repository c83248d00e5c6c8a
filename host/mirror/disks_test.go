package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
)

// disk gives a directory on a filesystem of its own.
func disk(t *testing.T, kind string) string {
	t.Helper()
	mkfs := map[string][]string{
		"ext4":                 {"mkfs.ext4", "-q", "-F"},
		"ext4 with old inodes": {"mkfs.ext4", "-q", "-F", "-I", "128"},
		"xfs":                  {"mkfs.xfs", "-q"},
		"btrfs":                {"mkfs.btrfs", "-q"},
	}[kind]
	size := map[string]int64{"xfs": 320 << 20, "btrfs": 256 << 20}[kind]
	if size == 0 {
		size = 64 << 20
	}
	return mounted(t, memoryDir(t), size, mkfs...)
}

// mounted makes an image in a directory, and mounts it.
func mounted(t *testing.T, in string, size int64, mkfs ...string) string {
	t.Helper()
	asRoot(t)
	dir, err := os.MkdirTemp("", "mirror-test-") //nolint:usetesting // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	loopMount(t, filepath.Join(in, "image"), dir, size, "loop,noatime", mkfs...)
	return dir
}

// TestStealthOnDisks does what looks like nothing to a primary that is followed by
// its events, on each kind of filesystem.
func TestStealthOnDisks(t *testing.T) {
	for _, kind := range []string{"ext4", "ext4 with old inodes", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			at := disk(t, kind)
			for _, events := range []string{watch.Fanotify, watch.Inotify} {
				t.Run(events, func(t *testing.T) {
					t.Parallel()
					r := newRigAt(t, memoryDir(t)) // or a sync of the secondary would sync the primary
					r.primary = filepath.Join(at, events, "p")
					r.events, r.streamed = events, events == watch.Inotify
					r.sh2(filepath.Join(at), "mkdir -p $P "+events+"/out/in; cd $P; mkdir a b; echo 1 >a/f; echo 2 >b/g; echo aaaa >a/back; echo bbbb >b/linked; ln b/linked a/linked")
					ctx, _ := r.follow()
					for _, step := range stealth {
						if kind == "ext4 with old inodes" && step.settled {
							continue // it would take seconds, and is about other things
						}
						if step.settled {
							r.still(ctx)
						}
						sent := r.running.Load().Snapshot().Done.Files
						step.do(ctx, r)
						r.same(ctx, step.name)
						if sent = r.running.Load().Snapshot().Done.Files - sent; step.sendsNone && sent > 0 {
							t.Errorf("%s: %d files were sent", step.name, sent)
						}
					}
				})
			}
		})
	}
}

// stealth is what hides, some of it when all is settled, some without anything to send.
var stealth = []struct {
	name      string
	settled   bool
	sendsNone bool
	do        func(context.Context, *rig)
}{
	{"a change of the same size, with the time set back", false, false, func(_ context.Context, r *rig) { r.setBack("a/back", "cccc\n") }},
	{"another one at once", false, false, func(_ context.Context, r *rig) { r.setBack("a/back", "dddd\n") }},
	{"a change by another name, with the time set back", false, false, func(_ context.Context, r *rig) { r.setBack("a/linked", "eeee\n") }},
	{"one when all is settled", true, false, func(_ context.Context, r *rig) { r.setBack("a/back", "ffff\n") }},
	{"a store to a page that is dirty when it is copied", true, false, func(ctx context.Context, r *rig) { r.storeAgain(ctx) }},
	{"two directories in each other's place", true, true, func(_ context.Context, r *rig) {
		r.must(unix.Renameat2(unix.AT_FDCWD, filepath.Join(r.primary, "a"), unix.AT_FDCWD, filepath.Join(r.primary, "b"), unix.RENAME_EXCHANGE))
	}},
	{"two fifos in each other's place", true, true, func(ctx context.Context, r *rig) {
		r.sh("mkfifo a/p b/p; setfacl -m u:12:r a/p; touch -d 2001-01-01 a/p")
		r.same(ctx, "two fifos")
		r.still(ctx)
		r.must(unix.Renameat2(unix.AT_FDCWD, filepath.Join(r.primary, "a/p"), unix.AT_FDCWD, filepath.Join(r.primary, "b/p"), unix.RENAME_EXCHANGE))
	}},
	{"a tree of old files that is moved in", true, false, func(_ context.Context, r *rig) {
		r.sh("mkdir -p ../out/in/deep; echo 1 >../out/in/f; echo 2 >../out/in/deep/f; touch -d 2001-01-01 ../out/in/deep/f ../out/in/f ../out/in/deep ../out/in; mv ../out/in a/in")
	}},
	{"its place taken by a twin", true, false, func(_ context.Context, r *rig) {
		// The same names, sizes and times, and other contents.
		r.sh("mkdir -p ../out/in/deep; echo 3 >../out/in/f; echo 4 >../out/in/deep/f; touch -d 2001-01-01 ../out/in/deep/f ../out/in/f ../out/in/deep ../out/in; mv a/in ../out/was; mv ../out/in a/in")
	}},
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// setBack writes a file in place, and sets its time back.
func (r *rig) setBack(name, data string) {
	r.t.Helper()
	path := filepath.Join(r.primary, name)
	var st unix.Stat_t
	r.must(unix.Stat(path, &st))
	if int(st.Size) != len(data) {
		r.t.Fatalf("%s has %d bytes", name, st.Size)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	r.must(err)
	_, err = f.WriteString(data)
	r.must(errors.Join(err, f.Close(), unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, 0)))
}

// storeAgain stores through a mapping, lets that be copied, and stores to the same
// page again. The page is dirty, so nothing but the care of whoever copied it makes the
// second store move the file's change time.
func (r *rig) storeAgain(ctx context.Context) {
	f, err := os.OpenFile(filepath.Join(r.primary, "a/f"), os.O_RDWR, 0)
	r.must(err)
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 2, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	r.must(err)
	m[0] = '8'
	r.must(f.Chmod(0o640)) // of which an event tells
	r.same(ctx, "the first store")
	r.still(ctx)
	m[0] = '9'
	r.must(unix.Munmap(m))
}

// sh2 runs a script somewhere else than in the primary.
func (r *rig) sh2(dir, script string) {
	r.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "P="+r.primary)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// TestSweepFindsWhatALoopDeviceWrote changes a filesystem in a file of the primary: the
// kernel writes to the file, and tells nobody.
func TestSweepFindsWhatALoopDeviceWrote(t *testing.T) {
	at := disk(t, "ext4")
	for _, sweep := range []time.Duration{0, 200 * time.Millisecond} {
		t.Run(fmt.Sprint(sweep), func(t *testing.T) {
			r := newRigAt(t, memoryDir(t))
			r.primary = filepath.Join(at, fmt.Sprint(sweep))
			r.events, r.sweep = watch.Fanotify, sweep
			r.must(os.Mkdir(r.primary, 0o755))
			inner := mounted(t, r.primary, 4<<20, "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=0")
			ctx, _ := r.follow()
			r.still(ctx)
			equal := func() bool {
				p, errP := os.ReadFile(filepath.Join(r.primary, "image"))
				s, errS := os.ReadFile(filepath.Join(r.secondary, "image"))
				return errP == nil && errS == nil && bytes.Equal(p, s)
			}
			if !equal() {
				t.Fatal("the image did not arrive")
			}
			f, err := os.Create(filepath.Join(inner, "f"))
			r.must(err)
			defer f.Close()
			_, err = f.WriteString("written below")
			r.must(errors.Join(err, unix.Syncfs(int(f.Fd()))))
			if sweep == 0 {
				// Nothing tells of it, or the other half of this test would prove nothing.
				timer := time.NewTimer(500 * time.Millisecond)
				defer timer.Stop()
				<-timer.C
				if equal() {
					t.Error("it came without an event and without a sweep")
				}
				return
			}
			r.await(ctx, func(report.Snapshot) bool { return equal() })
		})
	}
}
