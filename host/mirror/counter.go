package mirror

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// countTrees counts the entries below directories of the secondary, all of them
// in the same scans. What cannot be listed is left out; removing it will say why.
// held are the directories in the trees, and the trees themselves, whose marks hold
// for what the pass knows elsewhere, or knew a moment ago: before they are removed
// they must give up their marks. If the removal broke off, and the primary's
// directory came back as it was, what is left of it would be taken for whole.
func (t *turn) countTrees(ctx context.Context, trees []sdk.Path) (counts []int64, held []sdk.Path, err error) {
	c := counter{turn: t, counts: make([]int64, len(trees))}
	for i, path := range trees {
		c.stack = append(c.stack, counted{path, i})
	}
	for len(c.stack) > 0 {
		at := max(0, len(c.stack)-chunkDirs)
		c.chunk = append([]counted(nil), c.stack[at:]...)
		c.stack = c.stack[:at]
		if err := t.Target.Scan(ctx, sdk.ScanRequest{Dirs: c.dirs(), Fields: t.markFields()}, &c); err != nil {
			return nil, nil, fmt.Errorf("count what is to be removed: %w", err)
		}
	}
	return c.counts, c.held, nil
}

// counter is a scan's sink that counts and descends.
type counter struct {
	*turn
	stack  []counted
	chunk  []counted // being scanned
	cur    int
	counts []int64
	held   []sdk.Path // whose marks hold
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
func (c *counter) BeginDir(i int, self *sdk.Entry) error {
	c.cur = i
	m, err := crawl.DecodeMark(self.Mark)
	x, known := c.Marker.XTime(m.Dir)
	if err == nil && known && m.Holds(x, m.Dir) || c.native && self.Mark == nil && !self.Native.IsZero() {
		c.held = append(c.held, c.chunk[i].path)
	}
	return nil
}

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
