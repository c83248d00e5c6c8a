package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLayers changes, through an overlay, what is in the layer below until then.
func TestLayers(t *testing.T) {
	for _, c := range []struct{ name, kind, in string }{
		{"fanotify", Fanotify, ""},
		{"inotify", Inotify, ""},
		{"fanotify in another filesystem", Fanotify, "merged/tree"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, t.TempDir(), c.kind)
			r.tree = filepath.Join(overlay(t), "tree")
			if c.in != "" {
				r.tree, r.cross = filepath.Dir(filepath.Dir(r.tree)), true
			}
			r.open()
			r.follow()
			for _, op := range []operation{
				{"write", func(r *rig) error { return os.WriteFile(r.path(c.in+"/d/f"), []byte("other"), 0o644) }},
				{"write once more", func(r *rig) error { return os.WriteFile(r.path(c.in+"/d/f"), []byte("third"), 0o644) }},
				{"chmod", func(r *rig) error { return os.Chmod(r.path(c.in+"/d/e/g"), 0o600) }},
				{"create", func(r *rig) error { return os.WriteFile(r.path(c.in+"/d/e/new"), nil, 0o644) }},
				{"chmod of a directory", func(r *rig) error { return os.Chmod(r.path(c.in+"/d/e"), 0o700) }},
				{"rename", func(r *rig) error { return os.Rename(r.path(c.in+"/d/e/h"), r.path(c.in+"/d/h")) }},
				{"remove", func(r *rig) error { return os.Remove(r.path(c.in + "/d/f")) }},
				{"remove directories", func(r *rig) error { return os.RemoveAll(r.path(c.in + "/d/e")) }},
			} {
				if err := op.do(r); err != nil {
					t.Fatalf("%s: %v", op.name, err)
				}
				if looks, all := r.follow(); looks == 0 || all > 0 {
					t.Errorf("%s: %d looks, %d of them at everything", op.name, looks, all)
				}
				r.complete()
			}
		})
	}
}

// overlay gives a directory on an overlay whose directories have handles, over a layer
// that holds a tree.
func overlay(t *testing.T) string {
	t.Helper()
	needsRoot(t)
	base := memory(t)
	dir := filepath.Join(base, "merged")
	for _, d := range []string{"lower/tree/d/e", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"d/f", "d/e/g", "d/e/h"} {
		if err := os.WriteFile(filepath.Join(base, "lower/tree", f), []byte("below"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work,index=on,nfs_export=on", base)
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no overlay with nfs_export here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
