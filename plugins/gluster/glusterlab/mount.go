package glusterlab

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// Mount mounts the volume as any client does, till the test's end, and gives
// the directory.
func (v *Volume) Mount(t testing.TB) string {
	t.Helper()
	return v.MountWith(t)
}

// MountAux mounts the volume as Gluster's own helpers do: such a mount reads
// volume-mark and xtime, and changes through it are not marked.
func (v *Volume) MountAux(t testing.TB) string {
	t.Helper()
	return v.MountWith(t, "--client-pid=-1")
}

// MountWith mounts the volume with options of the program glusterfs.
func (v *Volume) MountWith(t testing.TB, options ...string) string {
	t.Helper()
	v.lab.mu.Lock()
	v.lab.mounts++
	name := v.name + "." + strconv.Itoa(v.lab.mounts)
	v.lab.mu.Unlock()
	dir := v.lab.path("mnt", name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := unmount(dir, Patience/10)
		if err == nil {
			err = os.Remove(dir)
		}
		if err != nil {
			t.Errorf("after the test: %v", err)
		}
	})
	args := append([]string{
		"-s", v.lab.address, "--volfile-id=" + v.name,
		"-l", v.lab.path("log", "mount-"+name+".log"), "-p", v.lab.path("run", "mount-"+name+".pid"),
	}, options...)
	before := time.Now()
	if _, err := run("glusterfs", append(args, dir)...); err != nil {
		t.Fatal(err)
	}
	// The program has ended well also when the volume is down.
	Await(t, "mount of "+v.name, func() error {
		at, err := mountsIn(v.lab.dir)
		if err != nil {
			return err
		}
		for _, m := range at {
			if m == dir {
				_, err := os.ReadDir(dir)
				return err
			}
		}
		return fmt.Errorf("not mounted after %v", time.Since(before))
	})
	return dir
}
