package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// load changes a tree all the time. Files called "whole…" are replaced in one
// step and tell by their content whether it is one version; the others are
// written as people do.
type load struct {
	root string
	rng  *rand.Rand
	pace time.Duration // between two changes
}

// blockSize is the size of what a whole file repeats.
const blockSize = 16

// run makes changes until ctx ends.
func (l *load) run(ctx context.Context) {
	tick := time.NewTicker(l.pace)
	defer tick.Stop()
	for {
		l.change()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// change makes one change. What is not possible just then is left out.
func (l *load) change() {
	dir := l.dir()
	_ = os.MkdirAll(dir, 0o755)
	n := l.rng.IntN(12)
	loose := filepath.Join(dir, fmt.Sprintf("loose%d", n))
	switch l.rng.IntN(12) {
	case 0, 1, 2, 3:
		l.whole(filepath.Join(dir, fmt.Sprintf("whole%d", n)))
	case 4:
		_ = os.WriteFile(loose, []byte(strings.Repeat("x", l.rng.IntN(5000))), 0o644)
	case 5:
		if f, err := os.OpenFile(loose, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = f.WriteString("more")
			_ = f.Close()
		}
	case 6:
		_ = os.Remove(filepath.Join(dir, fmt.Sprintf("whole%d", n)))
	case 7:
		_ = os.Rename(dir, l.dir())
	case 8:
		_ = os.Symlink("nowhere", filepath.Join(dir, fmt.Sprintf("link%d", n)))
	case 9:
		_ = os.Link(loose, filepath.Join(l.dir(), fmt.Sprintf("loose%d", n)))
	case 10:
		_ = os.Chmod(loose, fs.FileMode(0o600+l.rng.IntN(64)))
	case 11:
		if l.rng.IntN(20) == 0 {
			_ = os.RemoveAll(dir)
		}
	}
}

func (l *load) dir() string {
	dir := filepath.Join(l.root, fmt.Sprintf("d%d", l.rng.IntN(5)))
	if l.rng.IntN(2) == 0 {
		dir = filepath.Join(dir, fmt.Sprintf("e%d", l.rng.IntN(3)))
	}
	return dir
}

// whole replaces a file in one step; now and then it is a large one.
func (l *load) whole(path string) {
	blocks := l.rng.IntN(400)
	if l.rng.IntN(50) == 0 {
		blocks = 200_000
	}
	data := bytes.Repeat(fmt.Appendf(nil, "%08d%08x", blocks, l.rng.Uint32()), blocks)
	next := filepath.Join(l.root, "next")
	if os.WriteFile(next, data, 0o644) == nil {
		_ = os.Rename(next, path)
	}
}

// torn tells what is wrong with the content of a whole file; "" is nothing.
func torn(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	if len(data)%blockSize != 0 || string(data[:8]) != fmt.Sprintf("%08d", len(data)/blockSize) {
		return fmt.Sprintf("%d bytes, and it begins with %q", len(data), data[:min(len(data), blockSize)])
	}
	if !bytes.Equal(data, bytes.Repeat(data[:blockSize], len(data)/blockSize)) {
		return "two versions in one"
	}
	return ""
}

// watch looks at the whole files of a secondary until ctx ends.
func watch(ctx context.Context, t *testing.T, root string) {
	seen := 0
	for ctx.Err() == nil {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || sdk.Reserved(d.Name()) || !strings.HasPrefix(d.Name(), "whole") {
				return nil // it was there a moment ago
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			seen++
			if what := torn(data); what != "" {
				t.Errorf("%s is torn: %s", path, what)
			}
			return ctx.Err()
		})
	}
	t.Logf("looked at %d files on the secondary", seen)
}
