package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHistory lets a primary on a btrfs change while nothing runs. A start, of a mirror
// that goes on or of one that ends, opens the directories to which that leads, and
// leaves all others alone.
func TestHistory(t *testing.T) {
	t.Parallel()
	const dirs, files, changes = 250, 16, 10
	pl := newPlace(t)
	mountBtrfs(t, pl)
	for d := range dirs {
		for f := range files {
			pl.write(t, fmt.Sprintf("%d/d%d/f%d", d%10, d, f), fmt.Appendf(nil, "%d %d", d, f))
		}
	}
	var snap struct {
		Entries  int64 `json:"entries"`
		Detector struct {
			Kind string `json:"kind"`
		} `json:"detector"`
	}
	once := func() {
		t.Helper()
		h := pl.run(t, 0, "--json", pl.p, pl.s)
		if err := json.Unmarshal([]byte(h.stdout.String()), &snap); err != nil {
			t.Fatal(err)
		}
		if snap.Detector.Kind != "btrfs" || snap.Entries != dirs*(files+1)+10 {
			t.Errorf("the summary tells of %+v", snap)
		}
	}
	change := func(n int) {
		t.Helper()
		for i := range changes {
			pl.write(t, fmt.Sprintf("%d/d%d/f%d", i, 20*i+i, n), fmt.Appendf(nil, "other %d %d", i, n))
		}
	}
	// Changed directories may be opened as often as is needed, and so may those on the
	// way to them, and "new".
	const most = changes + 12
	seen := openings(t, pl.p)
	once()
	if n := seen(); n != dirs+11 {
		t.Errorf("%d directories were opened by the first run", n)
	}
	change(1)
	once()
	if n := seen(); n < changes || n > most {
		t.Errorf("%d of %d directories were opened for %d changes", n, dirs+11, changes)
	}
	for n := 2; n < 4; n++ {
		change(n)
		seen()
		h := pl.start(t, pl.p, pl.s)
		h.until("in sync", func() bool { return h.said(`msg="in sync"`) > 0 })
		if n := seen(); n < changes || n > most {
			t.Errorf("%d of %d directories were opened for %d changes", n, dirs+11, changes)
		}
		if h.said("detector=btrfs") != 1 || h.said("all of the primary is looked at") > 0 {
			t.Error("it does not go by the filesystem's history")
		}
		// And it goes on by events.
		pl.write(t, fmt.Sprintf("new/%d", n), []byte("new"))
		h.until("a change arrives", func() bool {
			_, err := os.Stat(filepath.Join(pl.s, fmt.Sprintf("new/%d", n)))
			return err == nil
		})
		if err := h.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		h.end(stopTime, -1)
		pl.noProcess(t)
	}
	if !pl.inSync(t) {
		t.Error("the trees differ in the end")
	}
}

// mountBtrfs puts a new filesystem in the place of the primary.
func mountBtrfs(t *testing.T, pl *place) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can mount a file system")
	}
	image := filepath.Join(pl.dir, "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 256<<20)); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"mkfs.btrfs", "-q", image}, {"mount", "-o", "loop", image, pl.p}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", argv, err, out)
		}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(pl.p, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// openings returns what counts the directories of a tree that anybody opened since it was
// last called. Of those that are made later it does not know.
func openings(t *testing.T, tree string) func() int {
	t.Helper()
	queue, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		_, err = unix.InotifyAddWatch(queue, path, unix.IN_OPEN|unix.IN_ONLYDIR)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	read := func() map[uint32]bool {
		opened := map[uint32]bool{}
		for {
			n, err := unix.Read(queue, buf)
			if err != nil {
				return opened
			}
			for b := buf[:n]; len(b) > 0; b = b[unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])):] {
				// Of a file in it the name is told.
				if binary.NativeEndian.Uint32(b[4:])&unix.IN_ISDIR != 0 && binary.NativeEndian.Uint32(b[12:]) == 0 {
					opened[binary.NativeEndian.Uint32(b)] = true
				}
			}
		}
	}
	read() // the walk itself opened some
	t.Cleanup(func() { _ = unix.Close(queue) })
	return func() int { return len(read()) }
}
