//go:build !wasip1

package grant

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/internal/handout"
)

// Given returns what this plugin was granted: nothing if it was not started by a
// host, or the configuration grants nothing. It may be called more than once;
// what is wrong with the grants is the error of each use.
func Given() *Set {
	c, err := fromHost()
	if err != nil {
		return &Set{nothing{err: &sdk.Error{Kind: sdk.KindFatal, Op: "read grants", Msg: err.Error()}}}
	}
	return New(c)
}

// fromHost reads the configuration that the host handed out.
func fromHost() (Config, error) {
	var c Config
	data, err := handout.Read()
	if err != nil || data == nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("decode grants: %w", err)
	}
	return c, nil
}

// New returns a set of its own, for tests of a driver.
func New(c Config) *Set {
	if err := c.Validate(); err != nil {
		return &Set{nothing{err: &sdk.Error{Kind: sdk.KindInput, Op: "read grants", Msg: err.Error()}}}
	}
	return &Set{newLocal(c)}
}

// nothing is what there is of grants that cannot be had.
type nothing struct{ err *sdk.Error }

func (n nothing) granted() ([]DirConfig, error) { return nil, n.err }
func (n nothing) list(context.Context, int, sdk.Path, func(*sdk.Entry) error) error {
	return n.err
}
func (n nothing) stat(context.Context, int, sdk.Path) (sdk.Entry, error) { return sdk.Entry{}, n.err }
func (n nothing) open(context.Context, int, sdk.Path) (file, sdk.Entry, error) {
	return nil, sdk.Entry{}, n.err
}
func (n nothing) source(context.Context, int, sdk.Path, TreeOptions) (sdk.Source, error) {
	return nil, n.err
}
func (n nothing) target(context.Context, int, sdk.Path, TreeOptions) (sdk.Target, error) {
	return nil, n.err
}
func (n nothing) do(context.Context, *Request) (*Response, error) { return nil, n.err }
func (n nothing) close() error                                    { return nil }
