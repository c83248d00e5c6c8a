package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// relist lists once more the primary's directories from which something is to be
// removed, where the storage has parts that can die one by one: one that was
// gone during the first listing hid names without a word, and may be back, or
// known to be gone, by now. It reports whether every listing was whole and showed
// nothing that the first did not. One doubt holds back all of the turn's removals,
// since what is missing in one directory may have been moved to another.
func (t *turn) relist(ctx context.Context, nodes []*node) (bool, error) {
	if t.Source.Info().Features&sdk.HasNative == 0 {
		return true, nil
	}
	sure := true
	for chunk := range slices.Chunk(nodes, sdk.MaxBatch) {
		s := &relisting{nodes: chunk}
		dirs := make([]sdk.Path, len(chunk))
		for i, n := range chunk {
			dirs[i] = n.path
		}
		// The native xtime is asked for because a dead part cannot hide there.
		if err := t.Source.Scan(ctx, sdk.ScanRequest{Dirs: dirs, Fields: sdk.FieldNative}, s); err != nil {
			return false, fmt.Errorf("look at the primary: %w", err)
		}
		for ; s.dir < len(chunk); s.dir++ {
			s.doubt = append(s.doubt, doubt{path: dirs[s.dir], err: &sdk.Error{Kind: sdk.KindFatal, Op: "scan", Msg: "the listing ended early"}})
		}
		for _, d := range s.doubt {
			sure = false
			if !t.gone(d.path, d.err) {
				t.ledger.raise(d.path, sdk.Primary, d.err)
				continue
			}
			t.mu.Lock()
			t.again = true
			t.mu.Unlock()
		}
	}
	return sure, nil
}

// relisting is the sink of a second listing.
type relisting struct {
	nodes []*node
	dir   int // the open directory, or the next
	gone  map[string]bool
	bad   bool
	doubt []doubt
}

var _ sdk.ScanSink = (*relisting)(nil)

// doubt is a directory that does not bear out its first listing: it could not be
// listed, or, without an error, it shows what it did not show before.
type doubt struct {
	path sdk.Path
	err  *sdk.Error
}

// BeginDir implements [sdk.ScanSink].
func (s *relisting) BeginDir(i int, self *sdk.Entry) error {
	if i != s.dir || i >= len(s.nodes) {
		return fmt.Errorf("the driver opened directory %d where %d belongs", i, s.dir)
	}
	n := s.nodes[i]
	s.bad = self.ID != n.id
	s.gone = make(map[string]bool, len(n.removes))
	for _, r := range n.removes {
		s.gone[r.name] = true
	}
	return nil
}

// Entry implements [sdk.ScanSink].
func (s *relisting) Entry(e *sdk.Entry) error {
	s.bad = s.bad || s.gone[e.Name]
	return nil
}

// EndDir implements [sdk.ScanSink].
func (s *relisting) EndDir(i int, err *sdk.Error) error {
	if i != s.dir || i >= len(s.nodes) {
		return fmt.Errorf("the driver closed directory %d where %d belongs", i, s.dir)
	}
	if err != nil || s.bad {
		s.doubt = append(s.doubt, doubt{path: s.nodes[i].path, err: err})
	}
	s.dir, s.gone, s.bad = s.dir+1, nil, false
	return nil
}
