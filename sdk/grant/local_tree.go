//go:build !wasip1

package grant

import (
	"context"
	"errors"
	"strconv"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
)

// A tree below a granted directory is opened by the descriptor of a directory
// that was reached beneath it: between a look and an opening by name somebody
// could put a link there.

func (l *local) source(_ context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Source, error) {
	d, opts, err := l.tree(dir, p, o)
	if err != nil {
		return nil, err
	}
	s, err := localtree.OpenSource(descriptorPath(d), opts)
	if err != nil {
		return nil, errors.Join(named(err, "open source", p), d.Close())
	}
	return &grantedSource{Source: s}, nil
}

func (l *local) target(_ context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Target, error) {
	if err := l.makeRoot(dir, p); err != nil {
		return nil, err
	}
	d, opts, err := l.tree(dir, p, o)
	if err != nil {
		return nil, err
	}
	t, err := localtree.OpenTarget(descriptorPath(d), opts)
	if err != nil {
		return nil, errors.Join(named(err, "open target", p), d.Close())
	}
	return &grantedTarget{Target: t}, nil
}

// tree opens the directory at p and says how to open its tree, which then owns it.
func (l *local) tree(dir int, p sdk.Path, o TreeOptions) (*localfs.Dir, localtree.Options, error) {
	r, err := l.root(dir)
	if err != nil {
		return nil, localtree.Options{}, err
	}
	d, err := r.OpenDir(p)
	if err != nil {
		return nil, localtree.Options{}, err
	}
	opts := localtree.Options{CrossMounts: o.CrossMounts, Jobs: o.Jobs, MarkKey: o.MarkKey, Closed: d.Close}
	opened, err := d.Stat()
	if err != nil {
		return nil, opts, errors.Join(err, d.Close())
	}
	// A descriptor's path always leads to its directory; what is looked at anew is
	// the way to it.
	opts.Identity = func(_ context.Context, found sdk.Identity) (sdk.Identity, error) {
		if err := r.Verify(); err != nil {
			return found, err
		}
		now, err := r.OpenDir(p)
		if err != nil {
			return found, err
		}
		defer now.Close()
		e, err := now.Stat()
		if err != nil {
			return found, err
		}
		if e.ID != opened.ID || now.Place() != d.Place() {
			return found, &sdk.Error{Kind: sdk.KindChanged, Op: "look at", Path: p, Msg: "another directory is there now"}
		}
		return found, nil
	}
	return d, opts, nil
}

// makeRoot makes the directory of a target if only that is missing.
func (l *local) makeRoot(dir int, p sdk.Path) error {
	if p == sdk.Root {
		return nil
	}
	r, err := l.root(dir)
	if err != nil {
		return err
	}
	parent, name, err := r.OpenParent(p)
	if err != nil {
		return err
	}
	defer parent.Close()
	if _, err := parent.Lstat(name); sdk.KindOf(err) != sdk.KindNotExist || err == nil {
		return err
	}
	return parent.Mkdir(name, 0o700)
}

func descriptorPath(d *localfs.Dir) string { return "/proc/self/fd/" + strconv.Itoa(d.FD()) }

// named gives an error that would name a descriptor the place that it is about.
func named(err error, op string, p sdk.Path) error {
	e := sdk.NewError(op, p, err)
	var inner *sdk.Error
	if errors.As(err, &inner) {
		e.Msg = inner.Msg
	}
	return e
}

// grantedSource is a tree whose path means nothing to others.
type grantedSource struct{ sdk.Source }

// Info implements [sdk.Resource].
func (s *grantedSource) Info() sdk.Info { return withoutEndpoint(s.Source.Info()) }

// grantedTarget is a tree whose path means nothing to others.
type grantedTarget struct{ sdk.Target }

// Info implements [sdk.Resource].
func (t *grantedTarget) Info() sdk.Info { return withoutEndpoint(t.Target.Info()) }

func withoutEndpoint(i sdk.Info) sdk.Info {
	i.Endpoint = sdk.Endpoint{}
	return i
}
