package gluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

// spread are the tests of what a distribution does, and not the driver alone;
// copied are those of what replicas and a dispersion do.
var (
	spread = append([]string{"ScanLarge", "Stat", "TypeChanges", "RemoveTree", "Escape", "DeniedDirectories", "Beacon", "Concurrent"}, copied...)
	copied = []string{"ScanTypes", "Operations", "Replace", "Rename", "Links", "Marks", "Meta", "MetaXattrs", "Read", "Write", "Sync", "Synced", "Identity"}
)

// TestLayouts runs what depends on the layout of a volume. The tests of a layout
// share its volumes: to make one takes a while. Those that kill bricks come last.
func TestLayouts(t *testing.T) {
	one, dist2, rep3, disp3 := glusterlab.One, glusterlab.Dist2, glusterlab.Rep3, glusterlab.Disp3
	tests := []struct {
		name string
		on   []glusterlab.Layout
		run  func(*testing.T, *pool)
	}{
		{"driver", []glusterlab.Layout{one, dist2, rep3, disp3}, testDriver},
		{"native", []glusterlab.Layout{one, dist2, rep3, disp3}, testNative},
		{"fresh", []glusterlab.Layout{one}, testFresh},
		{"killed plugin", []glusterlab.Layout{one}, testKilledPlugin},
		{"busy", []glusterlab.Layout{rep3}, testBusy},
		{"dead brick", []glusterlab.Layout{dist2}, testDeadBrick},
		{"copies left", []glusterlab.Layout{rep3, disp3}, testCopiesLeft},
	}
	for _, layout := range []glusterlab.Layout{one, dist2, rep3, disp3} {
		t.Run(layout.String(), func(t *testing.T) {
			t.Parallel()
			p := &pool{all: t, lab: lab.Lab(t), layout: layout}
			for _, test := range tests {
				if slices.Contains(test.on, layout) {
					t.Run(test.name, func(t *testing.T) { test.run(t, p) })
				}
			}
		})
	}
}

// testDriver runs the conformance suite on a volume of one brick, and what differs
// by layout on the others.
func testDriver(t *testing.T, p *pool) {
	run := filepath.Join(t.TempDir(), "run")
	cfg := drivertest.Config{
		Remote:         true,
		Mounted:        true,
		OwnStamps:      "trusted.glusterfs.",
		Keeps:          []string{".gsyncd-host.lock"},
		NoCapabilities: true,
		// Directories and special files of a distributed volume have none.
		From1970: p.layout == glusterlab.Dist2,
		NewTree:  p.tree,
		Scale:    20,
	}
	switch p.layout {
	case glusterlab.One: // the process is the same for all
		cfg.Launch = func(t drivertest.T) sdk.Driver { _, d := launch(t, run); return d }
		cfg.Scale = 4
		drivertest.Run(t, cfg)
		return
	case glusterlab.Dist2:
		cfg.Only = spread
	default:
		cfg.Only = copied
	}
	cfg.New = func() sdk.Driver { return patient{gluster.In(run, nil)} }
	drivertest.Run(t, cfg)
}

// pool lends the volumes of a layout to its tests.
type pool struct {
	all    *testing.T
	lab    *glusterlab.Lab
	layout glusterlab.Layout

	mu   sync.Mutex
	made int
	free []*lent
}

// lent is an indexed volume, mounted without any cache.
type lent struct {
	*glusterlab.Volume
	dir string
}

// take lends a volume. One that is not given back is not used again.
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
	return &lent{Volume: vol, dir: mountFresh(p.all, vol)}
}

// mountFresh mounts a volume without any cache, with all attributes.
func mountFresh(t *testing.T, vol *glusterlab.Volume) string {
	return vol.MountWith(t, "--acl", "--attribute-timeout=0", "--entry-timeout=0", "--negative-timeout=0", "--fopen-keep-cache=off",
		"--xlator-option=*-md-cache.pass-through=true", "--xlator-option=*-quick-read.max-file-size=0")
}

// lend lends a volume until the test ends. It is empty then.
func (p *pool) lend(t drivertest.T) *lent {
	l := p.take()
	t.Cleanup(func() {
		list, err := os.ReadDir(l.dir)
		must(t, err)
		list = slices.DeleteFunc(list, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".glusterfs-anonymous") })
		for _, e := range list {
			must(t, removeAll(filepath.Join(l.dir, e.Name())))
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
	return l
}

// removeAll removes what other mounts worked in a moment ago: a volume may say for
// a while that a directory which shows nothing is not empty.
func removeAll(path string) error {
	for deadline := time.Now().Add(glusterlab.Patience); ; <-time.After(100 * time.Millisecond) {
		if err := os.RemoveAll(path); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (p *pool) tree(t drivertest.T) drivertest.Tree {
	l := p.lend(t)
	return drivertest.Tree{Address: addressOf(l.Volume), Dir: l.dir}
}

func addressOf(vol *glusterlab.Volume) sdk.Address {
	return sdk.Address{Scheme: "gluster", Rest: strings.TrimPrefix(vol.URL(), "gluster://")}
}
