package localtree

import (
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// parents keeps the directory used last, since calls come in order of the tree.
// It is for one goroutine.
type parents struct {
	root *localfs.Root
	dir  *localfs.Dir
	path sdk.Path
}

// of returns the directory that holds p, and p's name in it.
func (c *parents) of(p sdk.Path) (*localfs.Dir, string, error) {
	if err := p.Validate(); err != nil || p == sdk.Root {
		// OpenParent says what is wrong with it.
		return c.root.OpenParent(p)
	}
	dir, name := p.Split()
	if c.dir != nil && c.path == dir {
		return c.dir, name, nil
	}
	c.close()
	d, err := c.root.OpenPath(dir)
	if err != nil {
		return nil, "", err
	}
	c.dir, c.path = d, dir
	return d, name, nil
}

// forget drops the directory if it is p or below: p is about to move or go.
func (c *parents) forget(p sdk.Path) {
	if c.dir != nil && c.path.Within(p) {
		c.close()
	}
}

func (c *parents) close() {
	c.dir.Close()
	c.dir = nil
}
