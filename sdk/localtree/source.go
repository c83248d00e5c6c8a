package localtree

import (
	"context"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// source is the primary side.
type source struct {
	*tree
	beacon *beacon // nil where the options bring one
}

var _ sdk.Source = (*source)(nil)

// Beacon implements sdk.Source.
func (s *source) Beacon(ctx context.Context) (sdk.Beacon, error) {
	ctx, leave, err := s.enter(ctx, "read beacon")
	if err != nil {
		return sdk.Beacon{}, err
	}
	defer leave()
	if s.set.Beacon != nil {
		return s.set.Beacon(ctx)
	}
	return s.beacon.read()
}

// Read implements sdk.Source.
func (s *source) Read(ctx context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	ctx, leave, err := s.enter(ctx, "read")
	if err != nil {
		return err
	}
	defer leave()
	c := parents{root: s.root}
	defer c.close()
	r := reader{tree: s.tree, sink: sink}
	for i, p := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.file(ctx, &c, i, p); err != nil {
			return err
		}
	}
	return nil
}
