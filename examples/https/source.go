package main

import (
	"context"
	"crypto/sha256"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// index tells what is in a tree.
type index interface {
	// mode is part of the tree's identity: a tree by its manifest is not the one by
	// the server's listings.
	mode() string
	// probe is a URL that answers as long as the tree is there.
	probe() string
	// current gives the tree as it is now.
	current(ctx context.Context, sure bool) (view, error)
	// read is for files of the tree that was last seen.
	read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error
}

// view is a tree during one call.
type view interface {
	Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error
	Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error)
}

// source is a tree on a server.
type source struct {
	web   *web
	index index
	life  catalog.Life
}

var _ sdk.Source = (*source)(nil)

func newSource(w *web, i index) *source { return &source{web: w, index: i} }

// rootID is the identity of the root: its URL.
func (w *web) rootID() sdk.FileID {
	sum := sha256.Sum256([]byte(w.base))
	return sdk.FileIDFrom(sum[:])
}

// Info implements sdk.Resource.
func (*source) Info() sdk.Info { return sdk.Info{Features: sdk.OneInstance} }

// Identity implements sdk.Resource.
func (s *source) Identity(ctx context.Context) (sdk.Identity, error) {
	ctx, leave, err := s.life.Enter(ctx, "identify")
	if err != nil {
		return sdk.Identity{}, err
	}
	defer leave()
	if _, err := s.index.current(ctx, true); err != nil {
		return sdk.Identity{}, err
	}
	return sdk.Identity{Filesystem: s.index.mode() + " of " + s.web.base, Root: s.web.rootID()}, nil
}

// Beacon implements sdk.Source.
func (s *source) Beacon(ctx context.Context) (sdk.Beacon, error) {
	ctx, leave, err := s.life.Enter(ctx, "read clock")
	if err != nil {
		return sdk.Beacon{}, err
	}
	defer leave()
	return s.web.clock(ctx, s.index.probe())
}

// Scan implements sdk.Resource.
func (s *source) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	ctx, leave, err := s.life.Enter(ctx, "scan")
	if err != nil {
		return err
	}
	defer leave()
	v, err := s.index.current(ctx, false)
	if err != nil {
		return err
	}
	return v.Scan(ctx, req, sink)
}

// Stat implements sdk.Resource.
func (s *source) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	ctx, leave, err := s.life.Enter(ctx, "stat")
	if err != nil {
		return nil, err
	}
	defer leave()
	v, err := s.index.current(ctx, false)
	if err != nil {
		return nil, err
	}
	return v.Stat(ctx, paths, fields)
}

// Read implements sdk.Source.
func (s *source) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	ctx, leave, err := s.life.Enter(ctx, "read")
	if err != nil {
		return err
	}
	defer leave()
	return s.index.read(ctx, paths, sink)
}

// Close implements sdk.Resource.
func (s *source) Close() error {
	s.life.Close()
	return nil
}
