package gluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

// byLayout are the tests of what bricks do, and not the driver alone.
var byLayout = []string{"ScanTypes", "ScanLarge", "Stat", "Operations", "Replace", "TypeChanges", "Rename", "RemoveTree", "Links", "Escape", "Marks", "Meta", "MetaXattrs",
	"DeniedDirectories", "Read", "Write", "Sync", "Beacon", "Concurrent", "Identity"}

// TestDriver runs the conformance suite on a volume of one brick, and what differs
// by layout on volumes of the others.
func TestDriver(t *testing.T) {
	for _, layout := range []glusterlab.Layout{glusterlab.One, glusterlab.Dist2, glusterlab.Rep3, glusterlab.Disp3} {
		t.Run(layout.String(), func(t *testing.T) {
			run := filepath.Join(t.TempDir(), "run")
			p := &pool{all: t, lab: lab.Lab(t), layout: layout}
			cfg := drivertest.Config{
				Remote:         true,
				Mounted:        true,
				Keeps:          []string{".gsyncd-host.lock"},
				NoCapabilities: true,
				// Directories and special files of a distributed volume have none.
				From1970: layout == glusterlab.Dist2,
				NewTree:  p.tree,
				Scale:    4,
			}
			if layout == glusterlab.One { // the process is the same for all
				cfg.Launch = func(t drivertest.T) sdk.Driver { _, d := launch(t, run); return d }
			} else {
				cfg.Scale, cfg.Only = 20, byLayout
				cfg.New = func() sdk.Driver { return gluster.In(run, nil) }
			}
			drivertest.Run(t, cfg)
		})
	}
}

// pool lends volumes to tests, since to make one takes a while.
type pool struct {
	all    *testing.T
	lab    *glusterlab.Lab
	layout glusterlab.Layout

	mu   sync.Mutex
	made int
	free []*lent
}

type lent struct {
	vol *glusterlab.Volume
	dir string
}

func (p *pool) take() *lent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		l := p.free[n-1]
		p.free = p.free[:n-1]
		return l
	}
	p.made++
	vol := p.lab.Volume(p.all, p.layout.String()+"v"+strconv.Itoa(p.made), p.layout)
	vol.Index(p.all, true)
	return &lent{vol: vol, dir: mountFresh(p.all, vol)}
}

// mountFresh mounts a volume without any cache, with all attributes.
func mountFresh(t *testing.T, vol *glusterlab.Volume) string {
	return vol.MountWith(t, "--acl", "--attribute-timeout=0", "--entry-timeout=0", "--negative-timeout=0", "--fopen-keep-cache=off",
		"--xlator-option=*-md-cache.pass-through=true", "--xlator-option=*-quick-read.max-file-size=0")
}

func (p *pool) tree(t drivertest.T) drivertest.Tree {
	l := p.take()
	t.Cleanup(func() {
		list, err := os.ReadDir(l.dir)
		must(t, err)
		list = slices.DeleteFunc(list, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".glusterfs-anonymous") })
		for _, e := range list {
			must(t, os.RemoveAll(filepath.Join(l.dir, e.Name())))
		}
		must(t, os.Chmod(l.dir, 0o755))
		must(t, os.Chown(l.dir, 0, 0))
		buf := make([]byte, 1<<16)
		n, err := unix.Listxattr(l.dir, buf)
		must(t, err)
		for _, name := range strings.Split(string(buf[:n]), "\x00") {
			if strings.HasPrefix(name, "user.") {
				must(t, unix.Removexattr(l.dir, name))
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, l)
	})
	return drivertest.Tree{Address: addressOf(l.vol), Dir: l.dir}
}

func addressOf(vol *glusterlab.Volume) sdk.Address {
	return sdk.Address{Scheme: "gluster", Rest: strings.TrimPrefix(vol.URL(), "gluster://")}
}
