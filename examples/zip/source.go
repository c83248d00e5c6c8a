package main

import (
	"context"
	"crypto/sha256"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// source is an archive, by its name. What is there under the name is looked at
// again and again: an archive that was replaced is the next state of the tree.
type source struct {
	log  *slog.Logger
	dir  *grant.Dir
	path sdk.Path
	lim  limits
	// around is the directory that holds the archive. Its filesystem's clock is
	// the one that stamps the archive.
	around sdk.Source

	life catalog.Life
	turn chan struct{} // holds one token, that of who may change now
	now  *state
}

var _ sdk.Source = (*source)(nil)

// state is an archive as it was at one time.
type state struct {
	file    *grant.File
	entry   sdk.Entry
	changed sdk.Time // what new entries have as change time
	settled bool     // a change that came later would show in the entry
	tree    *catalog.Tree
	box     box
	users   int // and one for being the present one
}

func openSource(ctx context.Context, dir *grant.Dir, p sdk.Path, lim limits, log *slog.Logger) (sdk.Source, error) {
	if p == sdk.Root {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open", Msg: "it is a directory, not an archive"}
	}
	around, err := dir.Source(ctx, p.Dir(), grant.TreeOptions{})
	if err != nil {
		return nil, err
	}
	s := &source{log: log, dir: dir, path: p, lim: lim, around: around, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	st, err := s.current(ctx, true)
	if err != nil {
		around.Close()
		return nil, err
	}
	s.release(st)
	return s, nil
}

// Info implements sdk.Resource.
func (s *source) Info() sdk.Info {
	return sdk.Info{Features: sdk.OneInstance | sdk.CanOwner | sdk.CanDevices | sdk.CanXattrs | sdk.CanHardlinks | sdk.CanSpecial | sdk.FineMtime}
}

// rootID names the tree: the archive of that name in its directory, whichever
// version of it is there.
func (s *source) rootID(dir sdk.FileID) sdk.FileID {
	b, _ := dir.AppendBinary(nil) // it has no error
	sum := sha256.Sum256(append(b, s.path.Base()...))
	return sdk.FileIDFrom(sum[:])
}

// Identity implements sdk.Resource.
func (s *source) Identity(ctx context.Context) (sdk.Identity, error) {
	ctx, leave, err := s.life.Enter(ctx, "identify")
	if err != nil {
		return sdk.Identity{}, err
	}
	defer leave()
	id, err := s.around.Identity(ctx)
	if err != nil {
		return id, err
	}
	st, err := s.current(ctx, true)
	if err != nil {
		return sdk.Identity{}, err
	}
	s.release(st)
	id.Root = s.rootID(id.Root)
	return id, nil
}

// Beacon implements sdk.Source.
func (s *source) Beacon(ctx context.Context) (sdk.Beacon, error) {
	ctx, leave, err := s.life.Enter(ctx, "read clock")
	if err != nil {
		return sdk.Beacon{}, err
	}
	defer leave()
	return s.around.Beacon(ctx)
}

// Scan implements sdk.Resource.
func (s *source) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	ctx, leave, err := s.life.Enter(ctx, "scan")
	if err != nil {
		return err
	}
	defer leave()
	st, err := s.current(ctx, false)
	if err != nil {
		return err
	}
	defer s.release(st)
	return st.tree.Scan(ctx, req, sink)
}

// Stat implements sdk.Resource.
func (s *source) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	ctx, leave, err := s.life.Enter(ctx, "stat")
	if err != nil {
		return nil, err
	}
	defer leave()
	st, err := s.current(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.release(st)
	return st.tree.Stat(ctx, paths, fields)
}

// Close implements sdk.Resource.
func (s *source) Close() error {
	if !s.life.Close() {
		return nil
	}
	if s.now != nil {
		s.now.file.Close()
	}
	return s.around.Close()
}

// current gives the archive as it is now, to be released. Where asked it looks
// through an archive again that could have changed since without showing it.
func (s *source) current(ctx context.Context, sure bool) (*state, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	e, err := s.dir.Stat(ctx, s.path)
	if err != nil {
		return nil, err
	}
	if e.Err != nil {
		return nil, e.Err
	}
	if s.now == nil || !sameFile(&e, &s.now.entry) || sure && !s.now.settled {
		next, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		if s.now != nil {
			s.drop(s.now)
		}
		s.now = next
	}
	s.now.users++
	return s.now, nil
}

// release gives back what current gave.
func (s *source) release(st *state) {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.drop(st)
}

func (s *source) drop(st *state) {
	if st.users--; st.users == 0 {
		st.file.Close()
	}
}

// sameFile compares what tells of changes of a file.
func sameFile(a, b *sdk.Entry) bool {
	return a.ID == b.ID && a.Size == b.Size && a.Mtime == b.Mtime && a.Ctime == b.Ctime && a.UID == b.UID && a.GID == b.GID
}

// load looks through the archive.
func (s *source) load(ctx context.Context) (*state, error) {
	id, err := s.around.Identity(ctx)
	if err != nil {
		return nil, err
	}
	b, err := s.around.Beacon(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.dir.Open(ctx, s.path)
	if err != nil {
		return nil, err
	}
	st := &state{file: f, entry: f.Entry(), users: 1}
	st.changed = s.changed(&st.entry, b.Now)
	st.settled = st.entry.Ctime.Compare(b.Now.Add(-int64(b.Window))) < 0
	build := catalog.NewBuilder(s.rootID(id.Root), st.changed, st.entry.UID, st.entry.GID)
	if st.box, err = index(ctx, f, st.entry.Size, build, s.lim); err == nil {
		err = s.unchanged(ctx, st)
	}
	if err != nil {
		f.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, sdk.NewError("read the archive", s.path, err)
	}
	s.log.Debug("looked through an archive", "path", string(s.path), "names", build.Len())
	st.tree = build.Tree()
	if s.now != nil {
		st.tree.Carry(s.now.tree)
	}
	return st, nil
}

// changed is the change time of what is new in an archive. It is that of the
// archive, unless that is not newer than the one before: somebody may have
// swapped the directories that hold them.
func (s *source) changed(e *sdk.Entry, now sdk.Time) sdk.Time {
	switch {
	case s.now == nil || e.Ctime.Compare(s.now.changed) > 0:
		return e.Ctime
	case sameFile(e, &s.now.entry):
		return s.now.changed
	}
	return now
}

// unchanged makes sure that the archive is what it was when it was looked through.
func (s *source) unchanged(ctx context.Context, st *state) error {
	e, err := s.dir.Stat(ctx, s.path)
	if err != nil {
		return err
	}
	if e.Err != nil {
		return e.Err
	}
	if !sameFile(&e, &st.entry) {
		return &sdk.Error{Kind: sdk.KindChanged, Op: "read the archive", Path: s.path, Msg: "it was changed while it was read"}
	}
	return nil
}
