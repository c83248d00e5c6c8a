package mirror

import (
	"context"
	"strings"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// memoryMarks is a target that cannot carry marks, with marks kept beside it in
// memory while it is open. It sees every operation, so that a mark stays with the
// directory that it was set on: at its path, with its identity. What a process
// that ended knew is lost: see docs/rationale.md.
type memoryMarks struct {
	sdk.Target
	// met says that this mirror has worked here before. Where no mark is known one
	// was lost then, so that equal looks prove nothing.
	met bool

	mu   sync.Mutex
	root markedDir
}

var _ sdk.Target = (*memoryMarks)(nil)

// markedDir is what is known of a directory and of those below it.
type markedDir struct {
	id    sdk.FileID
	mark  []byte
	below map[string]*markedDir
}

// lostMark is a mark that nobody can read: it vouches for nothing.
const lostMark = "lost"

// withMarks returns a target that has marks, by itself or in memory. met says that
// this mirror has worked there before.
func withMarks(t sdk.Target, met bool) sdk.Target {
	if t.Info().Features&sdk.CanMarks != 0 {
		return t
	}
	return &memoryMarks{Target: t, met: met}
}

// find returns the directory at a path, or nil. The lock is held.
func (m *memoryMarks) find(path sdk.Path) *markedDir {
	d := &m.root
	for name := range names(path) {
		if d = d.below[name]; d == nil {
			return nil
		}
	}
	return d
}

// names yields the components of a path.
func names(path sdk.Path) func(func(string) bool) {
	if path == sdk.Root {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(string(path), "/")
}

// take removes a directory, and all below it, from what is known. The lock is
// held.
func (m *memoryMarks) take(path sdk.Path) *markedDir {
	above := m.find(path.Dir())
	if above == nil {
		return nil
	}
	d := above.below[path.Base()]
	delete(above.below, path.Base())
	return d
}

// put returns the directory at a path, new or d in the place of what was known
// there. The lock is held.
func (m *memoryMarks) put(path sdk.Path, d *markedDir) *markedDir {
	at := &m.root
	for name := range names(path) {
		next := at.below[name]
		if next == nil {
			if at.below == nil {
				at.below = map[string]*markedDir{}
			}
			next = &markedDir{}
			at.below[name] = next
		}
		at = next
	}
	if d != nil {
		*at = *d
	}
	return at
}

// follow does to the marks what an operation did to the directories; one that
// failed may have done anything.
func (m *memoryMarks) follow(op *sdk.Op, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch op.Kind {
	case sdk.OpRename:
		d := m.take(op.From)
		m.take(op.Path)
		if done && d != nil {
			m.put(op.Path, d)
		}
	case sdk.OpRemoveTree:
		m.take(op.Path)
	}
}

// unmark drops one directory's mark.
func (m *memoryMarks) unmark(path sdk.Path) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.find(path); d != nil {
		d.mark = nil
	}
}

// mark sets the mark of a directory; an empty one claims nothing. Where another
// directory was before, nothing below is known.
func (m *memoryMarks) mark(path sdk.Path, id sdk.FileID, mark []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.put(path, nil)
	if d.id != id {
		d.below = nil
	}
	d.id, d.mark = id, append([]byte(nil), mark...)
}

// fill gives a directory's entry its mark.
func (m *memoryMarks) fill(path sdk.Path, e *sdk.Entry) {
	if e.Type != sdk.TypeDir || e.Mount {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch d := m.find(path); {
	case d != nil && d.id == e.ID && !e.ID.IsZero() && len(d.mark) > 0:
		e.Mark = d.mark
	case m.met:
		e.Mark = []byte(lostMark)
	}
}

// Info implements [sdk.Resource]. Marks are set after all else of a list, so that
// a sync cannot stand in between.
func (m *memoryMarks) Info() sdk.Info {
	info := m.Target.Info()
	info.Features &^= sdk.SyncsInLists
	return info
}

// Scan implements [sdk.Resource].
func (m *memoryMarks) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	if req.Fields&sdk.FieldMark != 0 {
		sink = &markSink{ScanSink: sink, marks: m, dirs: req.Dirs}
	}
	return m.Target.Scan(ctx, req, sink)
}

// Stat implements [sdk.Resource].
func (m *memoryMarks) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	entries, err := m.Target.Stat(ctx, paths, fields)
	if err != nil || fields&sdk.FieldMark == 0 {
		return entries, err
	}
	for i := range entries {
		if i < len(paths) {
			m.fill(paths[i], &entries[i])
		}
	}
	return entries, nil
}

// Apply implements [sdk.Target]. Marks that are replaced go before anything is
// done, the new ones come when all of it has been.
func (m *memoryMarks) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	results := make([]sdk.OpResult, len(ops))
	var others []sdk.Op
	var at, marked []int
	var paths []sdk.Path
	for i := range ops {
		if ops[i].Kind == sdk.OpSetMark {
			m.unmark(ops[i].Path)
			marked, paths = append(marked, i), append(paths, ops[i].Path)
			continue
		}
		others, at = append(others, ops[i]), append(at, i)
	}
	if len(others) > 0 {
		done, err := m.Target.Apply(ctx, others)
		if err != nil || len(done) != len(others) {
			return done, err
		}
		for i, res := range done {
			results[at[i]] = res
			m.follow(&others[i], res.Err == nil)
		}
	}
	if len(paths) == 0 {
		return results, nil
	}
	entries, err := m.Target.Stat(ctx, paths, 0)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e, op := &entries[i], &ops[marked[i]]
		switch {
		case e.Err != nil:
			results[marked[i]].Err = e.Err
		case e.Type != sdk.TypeDir:
			results[marked[i]].Err = &sdk.Error{Kind: sdk.KindChanged, Op: op.Kind.String(), Path: op.Path}
		default:
			m.mark(op.Path, e.ID, op.Mark)
		}
	}
	return results, nil
}

// markSink gives the rows of a scan their marks.
type markSink struct {
	sdk.ScanSink
	marks *memoryMarks
	dirs  []sdk.Path
	open  sdk.Path
}

var _ sdk.ScanSink = (*markSink)(nil)

// BeginDir implements [sdk.ScanSink].
func (s *markSink) BeginDir(i int, self *sdk.Entry) error {
	s.open = s.dirs[i]
	s.marks.fill(s.open, self)
	return s.ScanSink.BeginDir(i, self)
}

// Entry implements [sdk.ScanSink].
func (s *markSink) Entry(e *sdk.Entry) error {
	if e.Type == sdk.TypeDir {
		s.marks.fill(s.open.Join(e.Name), e)
	}
	return s.ScanSink.Entry(e)
}
