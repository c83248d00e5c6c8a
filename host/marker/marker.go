package marker

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Options is what a Marker needs from its surroundings. The zero value will do.
type Options struct {
	Logger *slog.Logger     // nil: silent
	Clock  func() time.Time // the wall clock; nil: time.Now
	Rand   io.Reader        // for epochs; nil: crypto/rand
}

// Marker gives the directories of one tree their xtimes. Its methods may be
// called concurrently; passes run one after the other.
type Marker struct {
	log  *slog.Logger
	rand io.Reader

	// pass is held for the length of a pass, and by Close.
	pass   sync.Mutex
	closed bool
	walker *walk // its buffers, from pass to pass
	watch  func(ids []sdk.FileID, paths []sdk.Path)
	// owed says that a pass through the whole tree is due: nothing was looked at since
	// the index was opened, a hint was lost, or such a pass did not end well.
	owed bool

	// mu guards what follows, and is never held while anything is waited for.
	mu      sync.RWMutex
	epoch   uint64
	ident   sdk.Identity // zero: no tree yet
	clock   clock
	tree    *tree
	moves   moves
	links   *linkTable
	journal *journal
	passes  uint32         // begun so far
	whole   uint32         // the last of them that went through the whole tree
	index   sdk.VolumeMark // what the native xtimes in the tree belong to
	swept   swept
	told    counted // by the last pass
	point   kept    // a first pass may begin from it
	until   kept    // told last, and the point once nothing is open
	// saidBlocked says that it was said what keeps until from being the point.
	saidBlocked bool

	// Directories that every pass lists, those that the pass after the last one
	// to find them did not find in their place (and which one that was), and those
	// that are gone and yet kept.
	pending map[ref]struct{}
	missing map[ref]uint32
	ghosts  map[ref]struct{}

	// What is not published yet: nodes with a new stamp, and nodes under a
	// parent that may not be as new as they are.
	stamped []ref
	rehung  []ref
	// settling says that native xtimes are newer than the xtimes that are seen.
	settling bool
}

// counted is what a tree holds in all.
type counted struct{ entries, bytes int64 }

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the marker is closed")

// Open loads the index in dir, a directory that exists and is the marker's
// alone, to be opened once at a time. An index that is missing or damaged, or is
// later found to be that of another tree, is no error: a new epoch begins, so
// that every xtime differs from all that were given out before.
func Open(dir string, opts Options) (*Marker, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	j, state, why, err := openJournal(dir)
	if err != nil {
		return nil, err
	}
	m := &Marker{log: opts.Logger, rand: opts.Rand, journal: j}
	m.clock.wall = opts.Clock
	if state != nil {
		if err := m.take(state); err != nil {
			return nil, errors.Join(err, j.close())
		}
		return m, nil
	}
	if errors.Is(why, fs.ErrNotExist) {
		m.log.Info("no index of the primary yet, a new epoch begins")
	} else {
		m.log.Warn("the index of the primary cannot be used, a new epoch begins", "reason", why)
	}
	return m, m.restart(sdk.Identity{})
}

// Watched has f called before directories are listed, with their identities and
// paths, so that somebody may listen there first. A first pass that begins from a
// point lists few of them. It is to be called before the first pass; the slices
// belong to f only during the call.
func (m *Marker) Watched(f func(ids []sdk.FileID, paths []sdk.Path)) {
	m.pass.Lock()
	defer m.pass.Unlock()
	m.watch = f
}

// take goes on with an index that was loaded.
func (m *Marker) take(state *loaded) error {
	m.epoch, m.ident, m.index = state.head.epoch, state.head.ident, state.head.index
	m.forgetAll()
	m.tree, m.moves, m.swept, m.point = state.tree, state.moves, state.swept, state.point
	if m.point.at != "" {
		m.links.load(state.names)
	}
	if err := m.clock.resume(state.clock, m.rand); err != nil {
		return err
	}
	for r, n := range m.tree.all() {
		switch {
		case n.is(flagGhost):
			m.ghosts[r] = struct{}{}
		case n.is(flagsPending):
			m.pending[r] = struct{}{}
		}
	}
	m.told = m.count()
	return nil
}

// forgetAll empties what is known of a tree.
func (m *Marker) forgetAll() {
	m.tree, m.moves, m.links = newTree(), moves{}, newLinkTable(m.lost, m.gone, func() bool { return len(m.missing) > 0 })
	m.pending, m.missing, m.ghosts = map[ref]struct{}{}, map[ref]uint32{}, map[ref]struct{}{}
	m.stamped, m.rehung = nil, nil
	m.swept, m.told, m.settling = swept{}, counted{}, false
	m.point, m.until, m.owed = kept{}, kept{}, true
}

// restart begins a new epoch for a tree.
func (m *Marker) restart(ident sdk.Identity) error {
	var b [8]byte
	for m.epoch, b = 0, [8]byte{}; m.epoch == 0; m.epoch = binary.LittleEndian.Uint64(b[:]) {
		if _, err := io.ReadFull(m.rand, b[:]); err != nil {
			return fmt.Errorf("choose an epoch: %w", err)
		}
	}
	m.ident, m.index = ident, sdk.VolumeMark{}
	m.forgetAll()
	m.journal.take()
	m.journal.stale = true
	return nil
}

// adopt makes sure that the index is that of the tree at hand.
func (m *Marker) adopt(ident sdk.Identity) error {
	switch {
	case ident.Root.IsZero():
		return fmt.Errorf("the primary's root has no identity")
	case len(ident.Filesystem) > maxFS:
		return fmt.Errorf("the primary's filesystem has a name of %d bytes", len(ident.Filesystem))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ident == ident:
	case m.ident == sdk.Identity{}:
		m.ident = ident
	default:
		m.log.Warn("the index is that of another tree, a new epoch begins",
			"was", m.ident.Filesystem, "is", ident.Filesystem)
		if err := m.restart(ident); err != nil {
			return err
		}
	}
	t := m.tree
	r, ok := t.byID[ident.Root]
	if !ok {
		r = t.add(ident.Root, place{})
	}
	t.root = r
	t.hang(r, place{})
	t.at(r).flags &^= flagGhost
	delete(m.ghosts, r)
	delete(m.missing, r)
	return nil
}

// record puts a node into the journal as it is now. One that was never listed
// is not worth it.
func (m *Marker) record(r ref, urgent bool) {
	n := m.tree.at(r)
	if n.own == 0 {
		return
	}
	at := m.namesOf(r)
	named := at != 0
	for at != 0 && !m.journal.stale {
		m.journal.put(urgent, func(b []byte) []byte {
			b, at = m.links.appendNames(b, n.id, r, at)
			return b
		})
	}
	m.journal.put(urgent, func(b []byte) []byte { return appendDir(b, m.tree, m.moves, r, named) })
	n.flags &^= flagDirty
}

// namesOf gives the first of a directory's names that belong into the index: a start
// has a use for them if there is a point that it may begin from.
func (m *Marker) namesOf(r ref) uint32 {
	if m.point.at == "" {
		return 0
	}
	return m.links.dirs[r]
}

// Close writes what is left to write and ends all use; it waits for a pass that
// is under way. It may be called twice.
func (m *Marker) Close() error {
	m.pass.Lock()
	defer m.pass.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	return errors.Join(m.settleClock(), m.journal.close())
}

// settleClock takes back the values reserved and not given out, so that a clean
// restart does not run ahead of the wall clock.
func (m *Marker) settleClock() error {
	m.mu.Lock()
	j := m.journal
	if j.stale {
		m.mu.Unlock()
		return nil // the next epoch, or the next pass, sees to it
	}
	if m.clock.reserved > m.clock.last {
		m.clock.reserved = m.clock.last
		j.put(true, func(b []byte) []byte { return appendClock(b, m.clock.last) })
	}
	batches := j.take()
	m.mu.Unlock()
	if len(batches) == 0 {
		return nil
	}
	return m.append(batches, true)
}
