package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// countTrees counts the entries below directories of the secondary, all of them
// in the same scans. What cannot be listed is left out; removing it will say why.
func (t *turn) countTrees(ctx context.Context, trees []sdk.Path) ([]int64, error) {
	c := counter{counts: make([]int64, len(trees))}
	for i, path := range trees {
		c.stack = append(c.stack, counted{path, i})
	}
	for len(c.stack) > 0 {
		at := max(0, len(c.stack)-chunkDirs)
		c.chunk = append([]counted(nil), c.stack[at:]...)
		c.stack = c.stack[:at]
		if err := t.Target.Scan(ctx, sdk.ScanRequest{Dirs: c.dirs()}, &c); err != nil {
			return nil, fmt.Errorf("count what is to be removed: %w", err)
		}
	}
	return c.counts, nil
}

// counter is a scan's sink that counts and descends.
type counter struct {
	stack  []counted
	chunk  []counted // being scanned
	cur    int
	counts []int64
}

// counted is a directory in one of the trees that are counted.
type counted struct {
	path sdk.Path
	tree int
}

var _ sdk.ScanSink = (*counter)(nil)

func (c *counter) dirs() []sdk.Path {
	out := make([]sdk.Path, len(c.chunk))
	for i := range c.chunk {
		out[i] = c.chunk[i].path
	}
	return out
}

// BeginDir implements [sdk.ScanSink].
func (c *counter) BeginDir(i int, _ *sdk.Entry) error { c.cur = i; return nil }

// EndDir implements [sdk.ScanSink].
func (c *counter) EndDir(int, *sdk.Error) error { return nil }

// Entry implements [sdk.ScanSink].
func (c *counter) Entry(e *sdk.Entry) error {
	in := c.chunk[c.cur]
	c.counts[in.tree]++
	if e.Type == sdk.TypeDir && !e.Mount {
		c.stack = append(c.stack, counted{in.path.Join(e.Name), in.tree})
	}
	return nil
}

// strangers is the sink of a scan of the root that tells whether there is
// anything. What was not listed to its end may hold anything or nothing.
type strangers struct {
	self  sdk.Entry // the root's own
	found bool
	err   *sdk.Error // of the listing
}

var _ sdk.ScanSink = (*strangers)(nil)

// BeginDir implements [sdk.ScanSink].
func (s *strangers) BeginDir(_ int, self *sdk.Entry) error {
	s.self = own(self)
	return nil
}

// EndDir implements [sdk.ScanSink].
func (s *strangers) EndDir(_ int, err *sdk.Error) error {
	s.err = err
	return nil
}

// Entry implements [sdk.ScanSink].
func (s *strangers) Entry(*sdk.Entry) error {
	s.found = true
	return nil
}
