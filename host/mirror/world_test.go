package mirror_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// world changes a tree at random and keeps a log of it. What fails is logged as
// failed and changes nothing.
type world struct {
	root string
	rng  *rand.Rand
	log  []string

	dirs, files, all []string // as of the last look; the root among dirs
}

const keepName = "keep" // never removed: an emptied primary is another matter

func newWorld(root string, rng *rand.Rand) *world { return &world{root: root, rng: rng} }

func (w *world) look() {
	w.dirs, w.files, w.all = w.dirs[:0], w.files[:0], w.all[:0]
	// Others may be at work in the tree: what is gone is left out.
	_ = filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		rel, _ := filepath.Rel(w.root, path)
		switch {
		case strings.HasPrefix(d.Name(), ".gsyncd-host."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			w.dirs = append(w.dirs, rel)
		case d.Type().IsRegular():
			w.files = append(w.files, rel)
		}
		if rel != "." && rel != keepName {
			w.all = append(w.all, rel)
		}
		return nil
	})
}

func (w *world) full(rel string) string { return filepath.Join(w.root, rel) }

func (w *world) pick(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[w.rng.IntN(len(list))]
}

// name is a place for an entry, most often a free one.
func (w *world) name() string {
	names := []string{"a", "b", "c", "d", "e", "f", "a.b", "ab", "A", "-rf", " ", "\n", "*", "ä", "\xff\xfe", "\x01", strings.Repeat("n", 40)}
	return filepath.Join(w.pick(w.dirs), w.pick(names))
}

func (w *world) bytes() []byte {
	sizes := []int{0, 1, 10, 10, 100, 5000, 70_000}
	b := make([]byte, sizes[w.rng.IntN(len(sizes))])
	for i := range b {
		b[i] = byte('a' + w.rng.IntN(26))
	}
	return b
}

func (w *world) time() unix.Timespec {
	secs := []int64{-1_000_000_000, -1, 0, 1, 1_000_000_000, 2_147_483_648, 4_294_967_296}
	return unix.Timespec{Sec: secs[w.rng.IntN(len(secs))], Nsec: w.rng.Int64N(1e9)}
}

// step does one thing.
func (w *world) step() {
	w.look()
	if len(w.all) > 60 {
		w.remove(w.pick(w.all))
		return
	}
	ops := w.ops()
	ops[w.rng.IntN(len(ops))]()
}

func (w *world) do(err error, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if err != nil {
		line = "# " + line + ": " + err.Error()
	}
	w.log = append(w.log, line)
}

func (w *world) remove(rel string) {
	if rel == "" {
		return
	}
	w.do(os.RemoveAll(w.full(rel)), "rm -r %q", rel)
}

func (w *world) write(rel string, data []byte) {
	h, err := w.open(rel, os.O_CREATE|os.O_TRUNC)
	if err == nil {
		_, err = h.Write(data)
		_ = h.Close()
	}
	w.do(err, "write %q %d bytes", rel, len(data))
}

// open opens a file for writing and nothing else: names lead through links that
// the world made itself, and nothing outside of it may be touched.
func (w *world) open(rel string, flags int) (*os.File, error) {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	if st, err := root.Lstat(rel); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("no regular file")
	}
	return root.OpenFile(rel, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|flags, 0o644)
}

func (w *world) ops() []func() {
	create := func() { w.write(w.name(), w.bytes()) }
	mkdir := func() { n := w.name(); w.do(os.Mkdir(w.full(n), 0o755), "mkdir %q", n) }
	return []func(){
		create, create, create, mkdir, mkdir, mkdir, w.sneak, w.sneak, w.move, w.move, w.swap, w.swap, w.link, w.link, w.breakLink,
		w.chmod, w.chown, w.utimes, w.setXattr, w.removeXattr, w.setACL, w.symlink, w.special, w.retype, w.appendTo, w.truncate, w.replace,
		func() { w.remove(w.pick(w.all)) },
		func() {
			if f := w.pick(w.files); f != "" {
				w.write(f, w.bytes())
			}
		},
	}
}

func (w *world) create(rel string, data []byte) error {
	h, err := w.open(rel, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err := h.Write(data); err != nil {
		return err
	}
	return h.Close()
}

// drift changes the secondary behind the mirror's back, in a directory that
// changes on the primary too and so will be visited. Only what a visit can see
// is done: files of one name keep neither size nor time.
func (w *world) drift(primary *world) {
	w.look()
	primary.look()
	var both []string
	for _, d := range w.dirs {
		if slices.Contains(primary.dirs, d) {
			both = append(both, d)
		}
	}
	dir := w.pick(both)
	if dir == "" {
		return
	}
	var in, files, dirs []string
	for _, n := range w.all {
		if filepath.Dir(n) != dir {
			continue
		}
		in = append(in, n)
		var st unix.Stat_t
		if unix.Lstat(w.full(n), &st) != nil {
			continue
		}
		switch {
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			dirs = append(dirs, n)
		case st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1:
			files = append(files, n)
		}
	}
	n := w.pick(in)
	stray := filepath.Join(dir, fmt.Sprintf("stray%d", w.rng.IntN(100)))
	switch w.rng.IntN(10) {
	case 0:
		w.remove(n)
	case 1:
		w.write(stray, w.bytes())
	case 2:
		if err := os.Mkdir(w.full(stray), 0o700); err == nil { // not there before: no link leads away
			w.do(os.Mkdir(w.full(filepath.Join(stray, "x")), 0o700), "mkdir -p %q/x", stray)
			w.write(filepath.Join(stray, "x/y"), w.bytes())
		}
	case 3:
		if f := w.pick(files); f != "" {
			w.write(f, make([]byte, 300_000+w.rng.IntN(1000)))
		}
	case 4:
		if f := w.pick(files); f != "" {
			w.do(unix.Chmod(w.full(f), 0o4711), "chmod %q", f)
			w.do(os.Lchown(w.full(f), 77, 77), "chown %q", f)
		}
	case 5:
		if f := w.pick(files); f != "" {
			at := []unix.Timespec{{Sec: 99}, {Sec: 99, Nsec: w.rng.Int64N(1e9)}}
			w.do(unix.UtimesNanoAt(unix.AT_FDCWD, w.full(f), at, 0), "touch %q", f)
		}
	case 6:
		if n != "" {
			w.remove(n)
			w.do(os.Symlink("away", w.full(n)), "ln -s away %q", n)
		}
	case 7:
		if n != "" {
			w.do(os.Rename(w.full(n), w.full(stray)), "mv %q %q", n, stray)
		}
	case 8:
		if len(dirs) > 1 {
			w.do(unix.Renameat2(unix.AT_FDCWD, w.full(dirs[0]), unix.AT_FDCWD, w.full(dirs[1]), unix.RENAME_EXCHANGE), "swap %q %q", dirs[0], dirs[1])
		}
	case 9:
		w.write(filepath.Join(dir, ".gsyncd-host.dead.1"), w.bytes())
	}
	now := time.Now()
	primary.do(os.Chtimes(primary.full(dir), now, now), "touch %q", dir)
}
