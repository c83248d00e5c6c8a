package glusterlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Volume is a volume of a lab. Its methods are for one test at a time.
type Volume struct {
	lab    *Lab
	name   string
	layout Layout
	uuid   string
	gone   bool
}

var volumeName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Volume makes and starts a volume that ends with the test.
func (l *Lab) Volume(t testing.TB, name string, layout Layout) *Volume {
	t.Helper()
	v := &Volume{lab: l, name: name, layout: layout}
	if err := v.create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.remove(); err != nil {
			t.Error(err)
		}
	})
	v.Start(t)
	return v
}

func (v *Volume) create() error {
	n, words := v.layout.bricks()
	if n == 0 || !volumeName.MatchString(v.name) {
		return fmt.Errorf("create volume %q: bad name or layout", v.name)
	}
	words = append([]string{"volume", "create", v.name}, words...)
	for i := range n {
		if err := os.Mkdir(v.BrickDir(i), 0o755); err != nil {
			return fmt.Errorf("create volume: %w", err)
		}
		words = append(words, v.lab.address+":"+v.BrickDir(i))
	}
	// force: the copies lie on one machine, perhaps on its root file system.
	if _, err := v.lab.gluster(append(words, "force")...); err != nil {
		return err
	}
	info, err := v.lab.gluster("volume", "info", v.name)
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(info, "Volume ID: ")
	if !ok {
		return fmt.Errorf("create volume: no volume id in %q", info)
	}
	v.uuid, _, _ = strings.Cut(rest, "\n")
	return nil
}

// Name is the volume's name.
func (v *Volume) Name() string { return v.name }

// UUID is the volume's id, lower case with dashes.
func (v *Volume) UUID() string { return v.uuid }

// URL is the volume as a resource names it.
func (v *Volume) URL() string { return "gluster://" + v.lab.address + ":" + v.name }

// Start starts the volume, and waits till all bricks are up.
func (v *Volume) Start(t testing.TB) {
	t.Helper()
	v.run(t, "volume", "start", v.name)
	v.awaitBricks(t)
}

// Stop stops the volume. Its mounts stay, and answer ENOTCONN.
func (v *Volume) Stop(t testing.TB) {
	t.Helper()
	v.run(t, "volume", "stop", v.name, "force")
}

// Delete stops the volume if it runs, and removes it and its content. The test's
// end does the same.
func (v *Volume) Delete(t testing.TB) {
	t.Helper()
	if err := v.remove(); err != nil {
		t.Fatal(err)
	}
}

func (v *Volume) remove() error {
	if v.gone {
		return nil
	}
	// glusterd may be down now: then the lab's end removes the volume.
	if _, err := v.lab.gluster("volume", "list"); err != nil {
		return nil //nolint:nilerr // see above
	}
	_, stopped := v.lab.gluster("volume", "stop", v.name, "force")
	if _, err := v.lab.gluster("volume", "delete", v.name); err != nil {
		return errors.Join(stopped, err)
	}
	v.gone = true
	n, _ := v.layout.bricks()
	for i := range n {
		if err := os.RemoveAll(v.BrickDir(i)); err != nil {
			return fmt.Errorf("remove brick: %w", err)
		}
	}
	return nil
}

// Set sets an option of the volume.
func (v *Volume) Set(t testing.TB, key, value string) {
	t.Helper()
	v.run(t, "volume", "set", v.name, key, value)
}

// Index switches the marking of changes (xtime) on or off. What is in the
// volume before keeps no mark till it changes.
func (v *Volume) Index(t testing.TB, on bool) {
	t.Helper()
	v.Set(t, "geo-replication.indexing", map[bool]string{true: "on", false: "off"}[on])
}

// HealFull makes the bricks of a replicated or dispersed volume alike again,
// and waits till nothing is left to heal.
func (v *Volume) HealFull(t testing.TB) {
	t.Helper()
	Await(t, "heal starts", func() error { // the healer needs a moment to see the bricks
		_, err := v.lab.gluster("volume", "heal", v.name, "full")
		return err
	})
	Await(t, "healed", func() error {
		for i := range v.Bricks() {
			if n, err := v.unhealed(i); err != nil || n > 0 {
				return errors.Join(err, fmt.Errorf("%d entries are left on brick %d", n, i))
			}
		}
		return nil
	})
}

// unhealed is the number of entries a brick knows to be different on another
// one. Gluster's own "heal info" asks the machine's glusterd, never the lab's.
func (v *Volume) unhealed(i int) (int, error) {
	n := 0
	for _, kind := range []string{"xattrop", "dirty"} {
		names, err := os.ReadDir(filepath.Join(v.BrickDir(i), ".glusterfs", "indices", kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("look for what is to be healed: %w", err)
		}
		for _, e := range names {
			if !strings.HasPrefix(e.Name(), kind+"-") { // the file that all entries are links to
				n++
			}
		}
	}
	return n, nil
}

func (v *Volume) run(t testing.TB, words ...string) {
	t.Helper()
	if _, err := v.lab.gluster(words...); err != nil {
		t.Fatal(err)
	}
}
