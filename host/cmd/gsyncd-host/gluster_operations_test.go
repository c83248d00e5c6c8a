package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// TestGlusterOperations does to volumes of each layout, while they are mirrored,
// what Gluster's own tests of geo-replication do. Each must arrive.
func TestGlusterOperations(t *testing.T) {
	t.Parallel()
	const directory = glusterlab.Layout(-1)
	for _, c := range []struct {
		primary, secondary glusterlab.Layout
		together           int // operations that arrive as one
	}{
		{glusterlab.One, glusterlab.Disp3, 1},
		{glusterlab.Dist2, glusterlab.Dist2, 1},
		{glusterlab.Rep2, directory, 3},
		{glusterlab.Rep3, glusterlab.Rep2, 3},
		{glusterlab.Disp3, directory, 3},
	} {
		t.Run(c.primary.String(), func(t *testing.T) {
			t.Parallel()
			p := newVol(t, "ops-"+c.primary.String(), c.primary, true)
			var s *vol
			if c.secondary != directory {
				s = newVol(t, "far-"+c.primary.String(), c.secondary, false)
			}
			pl := newGlusterPlace(t, p, s)
			secondary := pl.s
			if s != nil {
				secondary = s.URL()
			}
			h := pl.start(t, "-c", pl.glusterConfig(t, p.URL(), secondary, "schedule { interval = \"100ms\" }"))
			h.until("the first state arrives", func() bool { return pl.inSync(t) })
			operate(t, pl.p, c.together, func(what string) {
				began := time.Now()
				pl.arrives(t, h, what)
				t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
			})
			h.stop(syscall.SIGTERM)
			pl.clean(t)
			p.unmounted(t)
			if s != nil {
				s.unmounted(t)
			}
		})
	}
}

// arrives waits until the sides are equal, and tells the difference if they do
// not become so.
func (pl *place) arrives(t *testing.T, h *host, what string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !pl.inSync(t) {
		select {
		case <-tick.C:
		case <-h.done:
			t.Fatalf("the program ended (%v) before: %s", h.err, what)
		case <-deadline.C:
			a, err := describe(pl.p)
			b, other := describe(pl.s)
			t.Fatalf("not within %v: %s (%v, -want +got):\n%s", patience, what, errors.Join(err, other), cmp.Diff(strings.Split(a, "\n"), strings.Split(b, "\n")))
		}
	}
}

// operate does all operations below root, and calls arrive whenever so many of
// them are done.
func operate(t *testing.T, root string, together int, arrive func(what string)) {
	t.Helper()
	all := operations()
	for i, o := range all {
		if err := o.do(func(name string) string { return filepath.Join(root, name) }); err != nil {
			t.Fatalf("%s: %v", o.name, err)
		}
		if (i+1)%together == 0 || i+1 == len(all) {
			arrive(o.name)
		}
	}
}

// operation is something that people and programs do to a tree.
type operation struct {
	name string
	do   func(at func(string) string) error
}

func operations() []operation {
	write := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }
	return []operation{
		{"create", func(at func(string) string) error {
			var err error
			for _, d := range []string{"d", "d/sub", "d/sub/below", "logs", "backup"} {
				err = errors.Join(err, os.Mkdir(at(d), 0o755))
				for i := range 4 {
					err = errors.Join(err, write(at(d+"/f"+strconv.Itoa(i)), d))
				}
			}
			return errors.Join(err, write(at("top"), "top"), write(at("d/empty"), ""), unix.Setxattr(at("d/f2"), "user.z", nil, 0))
		}},
		{"chmod, chown, symbolic links", func(at func(string) string) error {
			return errors.Join(os.Chmod(at("d/f0"), 0o600), os.Chmod(at("d/sub"), 0o700|os.ModeSetgid),
				os.Chown(at("d/f1"), 101, 102), os.Chown(at("d/sub/below"), 103, 104),
				os.Symlink("f0", at("d/link")), os.Symlink("sub", at("d/link-to-dir")), os.Symlink("no/thing", at("dangling")))
		}},
		{"hard link and its rename", func(at func(string) string) error {
			return errors.Join(os.Link(at("d/f2"), at("d/sub/hard")), os.Rename(at("d/sub/hard"), at("renamed hard")),
				os.Link(at("d/f3"), at("d/sub/hard")))
		}},
		{"write through the other name", func(at func(string) string) error { return write(at("renamed hard"), "by another name") }},
		{"rename onto a name that exists; rename a link, and a directory gets its name", func(at func(string) string) error {
			return errors.Join(os.Rename(at("d/f0"), at("d/f1")), os.Rename(at("renamed hard"), at("top")),
				os.Rename(at("d/link-to-dir"), at("d/link2")), os.Mkdir(at("d/link-to-dir"), 0o755),
				write(at("d/link-to-dir/in"), "in"), os.Rename(at("d/sub"), at("d/moved")), os.Mkdir(at("d/sub"), 0o711))
		}},
		{"snapshot rotation", func(at func(string) string) error {
			if err := errors.Join(os.Mkdir(at("backup/hourly.0"), 0o755), write(at("backup/hourly.0/a"), "a"), write(at("backup/hourly.0/b"), "b")); err != nil {
				return err
			}
			for i := range 3 {
				if err := rotate(at, i); err != nil {
					return err
				}
			}
			return nil
		}},
		{"snapshot rotation again, and logs rotate", func(at func(string) string) error {
			if err := rotate(at, 3); err != nil {
				return err
			}
			for i := range 4 {
				for k := min(i, 2); k > 0; k-- {
					if err := os.Rename(at("logs/log."+strconv.Itoa(k)), at("logs/log."+strconv.Itoa(k+1))); err != nil {
						return err
					}
				}
				if err := write(at("logs/log"), "turn "+strconv.Itoa(i)); err != nil {
					return err
				}
				if err := os.Rename(at("logs/log"), at("logs/log.1")); err != nil {
					return err
				}
			}
			return write(at("logs/log"), "now")
		}},
		{"truncate, attributes", func(at func(string) string) error {
			return errors.Join(os.Truncate(at("d/f2"), 0), os.Truncate(at("d/f3"), 5000), os.Truncate(at("d/moved/f0"), 2),
				unix.Setxattr(at("d/moved"), "user.x", []byte("1"), 0), os.Chmod(at("d/moved"), 0o750),
				unix.Setxattr(at("d/f3"), "user.y", []byte("2"), 0), unix.Removexattr(at("d/f2"), "user.z"))
		}},
		{"attributes alone", func(at func(string) string) error {
			// They do not move the time of the last change on Gluster.
			return errors.Join(unix.Setxattr(at("d/empty"), "user.y", []byte("3"), 0), unix.Setxattr(at("d/f3"), "user.y", []byte("4"), 0),
				unix.Setxattr(at("logs"), "user.y", []byte("5"), 0))
		}},
		{"unlink", func(at func(string) string) error {
			return errors.Join(os.Remove(at("d/f1")), os.Remove(at("dangling")), os.Remove(at("d/moved/below/f0")), os.Remove(at("d/moved/hard")))
		}},
		{"rmdir", func(at func(string) string) error {
			return errors.Join(os.Remove(at("d/sub")), os.RemoveAll(at("d/moved")), os.RemoveAll(at("backup")))
		}},
	}
}

// rotate does what rsnapshot does: the snapshots move on, and the newest is first
// copied as hard links, in which one file is then replaced.
func rotate(at func(string) string, turn int) error {
	name := func(i int) string { return at("backup/hourly." + strconv.Itoa(i)) }
	err := os.RemoveAll(name(3))
	for i := min(turn, 2); i > 0; i-- {
		err = errors.Join(err, os.Rename(name(i), name(i+1)))
	}
	err = errors.Join(err, os.Mkdir(name(1), 0o755))
	for _, f := range []string{"/a", "/b"} {
		err = errors.Join(err, os.Link(name(0)+f, name(1)+f))
	}
	return errors.Join(err, os.Remove(name(0)+"/a"), os.WriteFile(name(0)+"/a", []byte("a of turn "+strconv.Itoa(turn)), 0o644))
}
