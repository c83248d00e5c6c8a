package grant

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Set is what a driver was granted. Its methods, and those of what they return,
// may be called concurrently unless they say otherwise. Errors are [*sdk.Error].
type Set struct {
	backend
}

// DirConfig grants a directory and all beneath it.
type DirConfig struct {
	Path  string `json:"path"`            // absolute and clean; it must exist
	Write bool   `json:"write,omitempty"` // else it is for reading only
}

// backend is how the grants are reached: directly, or through the runner. A
// directory is named by its index.
type backend interface {
	granted() ([]DirConfig, error)
	list(ctx context.Context, dir int, p sdk.Path, each func(*sdk.Entry) error) error
	stat(ctx context.Context, dir int, p sdk.Path) (sdk.Entry, error)
	open(ctx context.Context, dir int, p sdk.Path) (file, sdk.Entry, error)
	source(ctx context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Source, error)
	target(ctx context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Target, error)
	do(ctx context.Context, req *Request) (*Response, error)
	close() error
}

// file is an open file, read at offsets.
type file interface {
	ReadAt(p []byte, off int64) (int, error)
	Close() error
}

// Close gives back what the set holds open for itself. What was opened by it
// stays open. A driver that lives as long as its plugin need not call it.
func (s *Set) Close() error { return s.close() }

// Dirs returns the granted directories, in the order of the configuration.
func (s *Set) Dirs() ([]*Dir, error) {
	list, err := s.granted()
	if err != nil {
		return nil, err
	}
	out := make([]*Dir, len(list))
	for i, d := range list {
		out[i] = &Dir{set: s, index: i, config: d}
	}
	return out, nil
}

// Find returns the granted directory that holds an absolute path, and the path
// in it. Of several it is the deepest. If there is none the error, of
// KindPermission, says how to grant one. Nothing is looked at on disk.
func (s *Set) Find(abs string) (*Dir, sdk.Path, error) {
	dirs, err := s.Dirs()
	if err != nil {
		return nil, "", err
	}
	if !path.IsAbs(abs) {
		return nil, "", &sdk.Error{Kind: sdk.KindInput, Op: "find grant", Msg: "the path " + strconv.Quote(abs) + " is not absolute"}
	}
	clean := path.Clean(abs)
	var best *Dir
	for _, d := range dirs {
		if within(clean, d.config.Path) && (best == nil || len(d.config.Path) > len(best.config.Path)) {
			best = d
		}
	}
	if best == nil {
		return nil, "", &sdk.Error{Kind: sdk.KindPermission, Op: "find grant", Msg: "no granted directory holds " + strconv.Quote(abs) + "; allow one in the plugin's block"}
	}
	rel := strings.TrimPrefix(clean[len(best.config.Path):], "/")
	if rel == "" {
		return best, sdk.Root, nil
	}
	p := sdk.Path(rel)
	if err := p.Validate(); err != nil {
		return nil, "", &sdk.Error{Kind: sdk.KindInput, Op: "find grant", Msg: err.Error()}
	}
	return best, p, nil
}

func within(p, dir string) bool {
	return dir == "/" || p == dir || strings.HasPrefix(p, dir+"/")
}

// Do sends a request to a granted origin and returns the response once its
// headers are there; the caller closes its Body. A status that is no success is
// no error. KindPermission: the URL, or one that it redirects to, is not granted.
// KindTransient: the network or the origin failed.
func (s *Set) Do(ctx context.Context, req *Request) (*Response, error) { return s.do(ctx, req) }
