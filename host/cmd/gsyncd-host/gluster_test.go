package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// needGluster ends the test where there is none.
func needGluster(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("glusterd")
	if (err != nil || os.Geteuid() != 0) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED, NOT TESTED: this needs root and Gluster (apt install glusterfs-server glusterfs-client)")
	}
}

// labFor gives the shared Gluster.
func labFor(t *testing.T) *glusterlab.Lab {
	t.Helper()
	needGluster(t)
	return glusterLab.Lab(t)
}

// vol is a volume of a test, and where the test sees it.
type vol struct {
	*glusterlab.Volume
	dir string
}

// newVol makes a volume, mounted as any client does but for the caches, which
// would show the test what was there a second ago. A volume that is indexed may
// be a primary.
func newVol(t *testing.T, name string, layout glusterlab.Layout, indexed bool) *vol {
	t.Helper()
	v := &vol{Volume: labFor(t).Volume(t, name, layout)}
	if indexed {
		v.Index(t, true)
	}
	v.dir = v.MountWith(t, "--acl", "--attribute-timeout=0", "--entry-timeout=0",
		"--xlator-option=*-md-cache.md-cache-timeout=0", "--xlator-option=*-quick-read.quick-read-cache-timeout=0")
	return v
}

// short is the volume's URL in short form.
func (v *vol) short() string { return strings.TrimPrefix(v.URL(), "gluster://") }

// newGlusterPlace makes a place whose sides are these directories, which are the
// test's own way to look at volumes. Of what the program mounts of them nothing is
// left when the test ends.
func newGlusterPlace(t *testing.T, p, s *vol) *place {
	t.Helper()
	pl := newPlace(t)
	for _, side := range []struct {
		dir *string
		vol *vol
	}{{&pl.p, p}, {&pl.s, s}} {
		if side.vol == nil {
			continue
		}
		*side.dir = side.vol.dir
		t.Cleanup(func() {
			for _, at := range side.vol.mounts(t) {
				_ = unix.Unmount(at, unix.MNT_DETACH)
				_ = os.RemoveAll(filepath.Dir(at))
			}
		})
	}
	t.Cleanup(func() { // before the above
		for _, p := range pl.processes(t) {
			p.signal(syscall.SIGKILL)
		}
	})
	return pl
}

// mounts lists where the program has the volume mounted.
func (v *vol) mounts(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("/proc/self/mountinfo")
	check(t, err)
	defer f.Close()
	var at []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, source, _ := strings.Cut(lines.Text(), " - fuse.glusterfs ")
		fields := strings.Fields(lines.Text())
		if host, name, ok := strings.Cut(strings.Fields(source + " -")[0], ":"); ok && name == v.Name() &&
			(host == labFor(t).Server() || host == "localhost") && strings.HasPrefix(fields[4], gluster.RunDir+"/") {
			at = append(at, fields[4])
		}
	}
	check(t, lines.Err())
	return at
}

// unmounted checks that nothing of the program's mounts is left.
func (v *vol) unmounted(t *testing.T) {
	t.Helper()
	if at := v.mounts(t); len(at) > 0 {
		t.Errorf("volume %s is mounted still: %q", v.Name(), at)
	}
}

// glusterConfig writes a configuration with one mirror, "m", of two URLs.
func (pl *place) glusterConfig(t *testing.T, primary, secondary, body string) string {
	t.Helper()
	path := filepath.Join(pl.dir, "m.hcl")
	text := fmt.Sprintf("host {\n  state_dir = %q\n}\nmirror \"m\" {\n  primary = %q\n  secondary = %q\n%s\n}\n", pl.state, primary, secondary, body)
	check(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// mountProc is for find: a glusterfs process that the program started.
func mountProc(p proc) bool { return filepath.Base(p.args[0]) == "glusterfs" }
