package mirror

import (
	"context"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// chunkDirs is how many directories one Scan asks for: a round trip is paid
	// by many, and what is read ahead stays small.
	chunkDirs = 512
	// listAhead is how many chunks are being listed at a time: over a slow network
	// the next one is on its way while the last is compared.
	listAhead = 3
	// maxPath leaves room for the names of staged files.
	maxPath = sdk.MaxPath - 64
	// maxShown is how much of a path that is too long is shown.
	maxShown = 60
	// flushOps and flushSends are how many operations and files gather before they
	// are carried out. Operations are waited for, files are not.
	flushOps   = 4 * sdk.MaxBatch
	flushSends = 900
)

// walk visits root and what is below it, depth first but for what is listed
// ahead, so that what is waiting to be visited stays small.
func (t *turn) walk(ctx context.Context, root *node) error {
	w := &walker{turn: t, stack: []*node{root}, witness: marker.NewWitness(t.pass)}
	var ahead []*listing
	defer func() {
		for _, l := range ahead {
			l.close()
		}
	}()
	for len(w.stack)+len(ahead) > 0 {
		for len(w.stack) > 0 && len(ahead) < listAhead {
			ahead = append(ahead, w.list(ctx, w.pop()))
		}
		if err := w.visit(ctx, ahead[0]); err != nil {
			return err
		}
		ahead[0].close()
		ahead = ahead[1:]
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// walker gathers the actions of the directories being visited.
type walker struct {
	*turn
	stack   []*node
	witness *marker.Witness

	ops   []entryOp
	sends []mover.Job
	// opsFirst says that some of ops must be done before some of sends.
	opsFirst bool
	dirs     []*node // to be entered once made
	// wants are the entries whose extended attributes have to be read before
	// their operation (an index into ops) can be done.
	wants []int
}

// pop takes the next directories that can be listed together.
func (w *walker) pop() []*node {
	last := len(w.stack) - 1
	fresh := w.stack[last].fresh
	from := last
	for from > 0 && last-from+1 < chunkDirs && w.stack[from-1].fresh == fresh {
		from--
	}
	chunk := append([]*node(nil), w.stack[from:]...)
	w.stack = w.stack[:from]
	return chunk
}

// listing is a chunk of directories that is being listed on both sides; s is nil
// where the secondary's are known to be empty.
type listing struct {
	chunk []*node
	p, s  *rows
}

// list begins to list a chunk.
func (w *walker) list(ctx context.Context, chunk []*node) *listing {
	dirs := make([]sdk.Path, len(chunk))
	for i, n := range chunk {
		dirs[i] = n.path
	}
	fields := sdk.FieldTarget
	if w.full {
		fields |= sdk.FieldXattrs
	}
	of := fields
	if w.Source.Info().Features&sdk.HasNative != 0 && !chunk[0].fresh {
		of |= sdk.FieldNative | sdk.FieldEntryNative // for crawl.Changed
	}
	l := &listing{chunk: chunk, p: scanRows(ctx, w.Source, sdk.ScanRequest{Dirs: dirs, Fields: of})}
	bare := w.bare
	w.bare = nil // of the first listing
	switch {
	case chunk[0].fresh:
	case bare != nil && !w.full && w.Clock().Sub(bare.at) <= freshLook:
		l.s = noRows(bare.self)
	default:
		l.s = scanRows(ctx, w.Target, sdk.ScanRequest{Dirs: dirs, Fields: fields | w.markFields()})
	}
	return l
}

// close ends the scans.
func (l *listing) close() {
	l.p.close()
	if l.s != nil {
		l.s.close()
	}
}

func (m *Mirror) notice(text string) {
	if m.Tracker.Notice(text) {
		m.Logger.Warn(text)
	}
}
