package watch

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	stormSeed  = flag.Uint64("storm.seed", 0, "TestStorm: seed; 0: another each time")
	stormSteps = flag.Int("storm.steps", 12, "TestStorm: rounds of a storm")
)

// TestStorm changes a tree at random, also while it is looked at, and ends
// everything without a word now and then. Whatever the events led to, a look
// at everything finds nothing more.
func TestStorm(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for _, at := range places() {
		kinds := []string{Fanotify, Inotify}
		if at.name == "btrfs" {
			kinds = append(kinds, Btrfs)
		}
		for _, kind := range kinds {
			t.Run(at.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				t.Logf("replay with -storm.seed=%d", seed)
				if kind != Inotify {
					needsRoot(t)
				}
				s := &storm{rig: newRig(t, at.make(t), kind), rng: rand.New(rand.NewPCG(seed, 1))}
				s.run(*stormSteps)
			})
		}
	}
}

// filesystem is a kind of filesystem to try.
type filesystem struct {
	name string
	make func(*testing.T) string
}

func places() []filesystem {
	return []filesystem{
		{"memory", memory},
		{"ext4", func(t *testing.T) string { return image(t, 64<<20, "mkfs.ext4", "-q", "-F") }},
		{"xfs", func(t *testing.T) string { return image(t, 320<<20, "mkfs.xfs", "-q") }},
		{"btrfs", func(t *testing.T) string { return image(t, 256<<20, "mkfs.btrfs", "-q") }},
		{"subvolume", onSubvolume},
	}
}

// TestOldInodes is for inodes without birth times, whose change times have a grain
// of a second: directories are known by their generation, and what is young is
// looked at again after two seconds.
func TestOldInodes(t *testing.T) {
	for _, kind := range []string{Fanotify, Inotify} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, image(t, 64<<20, "mkfs.ext4", "-q", "-F", "-I", "128"), kind)
			r.write("a/b/f", "some")
			r.open()
			r.follow()
			// A first look that comes a second late finds nothing young.
			looks, all := 0, 0
			for tries := 0; looks < 2 && all == 0 && tries < 5; tries++ {
				r.write("a/b/f", fmt.Sprint("data", tries))
				looks, all = r.follow()
				r.complete()
			}
			if looks < 2 || all > 0 {
				t.Errorf("%d looks, %d of them at everything", looks, all)
			}
		})
	}
}

// storm is a rig whose tree changes.
type storm struct {
	*rig
	rng *rand.Rand
	// outside is a directory on the same filesystem beside the tree, where
	// directories are moved to and from.
	outside string
	log     []string
}

func (s *storm) run(steps int) {
	s.outside = s.tree + ".outside"
	if err := os.Mkdir(s.outside, 0o755); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if s.t.Failed() {
			s.t.Logf("said: %s", &s.said)
			s.t.Logf("%d changes, the last:\n%s", len(s.log), strings.Join(s.log[max(0, len(s.log)-60):], "\n"))
		}
	}()
	for range 60 {
		s.change()
		s.link()
	}
	s.open()
	looks := 0
	for step := range steps {
		for range s.rng.IntN(30) {
			s.change()
		}
		switch s.rng.IntN(4) {
		case 2:
			// A name that is gone again before it was looked at leaves no trace but the
			// change time of the file, of which its other names' directories do not tell.
			s.follow()
			for range 3 {
				s.link()
			}
			s.follow()
		case 0: // changes go on while it is looked at
			var busy sync.WaitGroup
			busy.Go(func() {
				for range 60 {
					s.change()
				}
			})
			s.follow()
			busy.Wait()
		case 1:
			s.kill()
			for range s.rng.IntN(3) {
				s.change()
			}
			p := s.open()
			// The first run may have been killed before it had an answer.
			if s.kind == Btrfs && step > 0 && (s.first.All || s.first.Since == "") {
				s.t.Errorf("a start at everything: %s", &s.said)
			}
			if p.Swept {
				s.swept++
			}
		}
		if s.kind == Btrfs && s.rng.IntN(3) == 0 {
			s.follow()
			s.beat()
		}
		more, all := s.follow()
		if looks += more; all > 0 && !s.cross {
			s.t.Errorf("%d looks at everything, and nothing was lost", all)
		}
		s.complete()
		if s.t.Failed() {
			return
		}
	}
	s.t.Logf("%d looks, %d of them at everything", looks, s.swept)
}

// change changes something. What is not possible just then is left out.
func (s *storm) change() {
	rng := s.rng
	dir, name := s.dir(), fmt.Sprintf("f%d", rng.IntN(6))
	file := filepath.Join(dir, name)
	var err error
	what := ""
	switch rng.IntN(15) {
	case 0, 1:
		what, err = "mkdir", os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%d", rng.IntN(4))), 0o755)
	case 2:
		deep := filepath.Join(dir, "d0", "d1", "d2")
		what = "mkdir -p"
		if err = os.MkdirAll(deep, 0o755); err == nil {
			err = os.WriteFile(filepath.Join(deep, "f"), []byte("deep"), 0o644)
		}
	case 3, 4, 5:
		what, err = "write", os.WriteFile(file, []byte(time.Now().String()), 0o644)
	case 6:
		what = "append"
		var f *os.File
		if f, err = os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, err = f.WriteString("more")
			_ = f.Close()
		}
	case 7:
		what, err = "chmod", os.Chmod(file, fs.FileMode(0o600+rng.IntN(64)))
	case 8:
		what, err = "chmod dir", os.Chmod(dir, fs.FileMode(0o700+rng.IntN(64)))
	case 9:
		when := time.Unix(rng.Int64N(1e9), 0)
		what, err = "touch", os.Chtimes(file, when, when)
	case 10:
		what, err = "rm", os.Remove(file)
	case 11:
		what, err = "mv file", os.Rename(file, filepath.Join(s.dir(), name))
	case 12:
		if what = "mv dir"; dir != s.tree {
			err = os.Rename(dir, filepath.Join(s.dir(), fmt.Sprintf("d%d", rng.IntN(4))))
		}
	case 13:
		if away := filepath.Join(s.outside, "d"); dir != s.tree && rng.IntN(2) == 0 {
			// inotify does not hear of what happens to a file by a name outside.
			if s.kind != Inotify || !linked(dir) {
				what, err = "mv out", os.Rename(dir, away)
			}
		} else {
			what = "change outside and mv in"
			if s.kind != Inotify {
				_ = os.WriteFile(filepath.Join(away, "f0"), []byte(time.Now().String()), 0o644)
				_ = os.Remove(filepath.Join(away, "f1"))
			}
			_ = os.WriteFile(filepath.Join(away, fmt.Sprintf("new%d", len(s.log))), []byte("new"), 0o644)
			err = os.Rename(away, filepath.Join(dir, fmt.Sprintf("d%d", rng.IntN(4))))
		}
	case 14:
		if what = "rm -r"; dir != s.tree && rng.IntN(3) == 0 {
			err = os.RemoveAll(dir)
		}
	}
	if err == nil {
		rel, _ := filepath.Rel(s.tree, file)
		s.log = append(s.log, fmt.Sprintf("%s %s", what, rel))
	}
}

// link gives a file one more name.
func (s *storm) link() {
	from := filepath.Join(s.dir(), fmt.Sprintf("f%d", s.rng.IntN(6)))
	to := filepath.Join(s.dir(), fmt.Sprintf("f%d", s.rng.IntN(6)))
	if err := os.Link(from, to); err == nil {
		s.log = append(s.log, "ln "+from+" "+to)
	}
}

// linked reports whether some file below a directory has several names.
func linked(dir string) (found bool) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && !d.IsDir() && unix.Lstat(path, &st) == nil {
			found = found || st.Nlink > 1
		}
		return nil
	})
	return found
}

// dir is a directory of the tree.
func (s *storm) dir() string {
	var dirs []string
	_ = filepath.WalkDir(s.tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs[s.rng.IntN(len(dirs))]
}
