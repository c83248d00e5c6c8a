package localfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	ioctlGetFlags = 0x80086601 // FS_IOC_GETFLAGS
	ioctlSetFlags = 0x40086602 // FS_IOC_SETFLAGS
	flagImmutable = 0x10
	flagAppend    = 0x20
)

// TestSetMetaFixed: what is marked as not to be changed gets its attributes once the
// mark is gone. To call them lost would be to call it equal for good.
func TestSetMetaFixed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	dir := t.TempDir()
	r, err := OpenWritable(dir)
	must(t, err)
	defer r.Close()
	d, err := r.OpenPath(sdk.Root)
	must(t, err)
	defer d.Close()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "dir"), 0o755))
	metas := []sdk.Meta{
		{Mask: sdk.MetaPerm, Perm: 0o700},
		{Mask: sdk.MetaPerm, Perm: 0o4700},
		{Mask: sdk.MetaOwner, UID: 12, GID: 34},
		{Mask: sdk.MetaMtime, Mtime: sdk.Time{Sec: 1 << 30}},
		{Mask: sdk.MetaXattrs, Xattrs: []sdk.Xattr{{Name: "trusted.x", Value: []byte("x")}}},
	}
	for _, name := range []string{"file", "dir"} {
		for _, flag := range []int{flagImmutable, flagAppend} {
			fixed := fix(t, filepath.Join(dir, name), flag)
			for _, m := range metas {
				if lost, err := d.SetMeta(name, &m); lost != 0 || errnoOf(err) != unix.EPERM {
					t.Errorf("%s with flag %x, attributes %b: lost %b, %v", name, flag, m.Mask, lost, err)
				}
			}
			fixed()
		}
		for _, m := range metas {
			if lost, err := d.SetMeta(name, &m); lost != 0 || err != nil {
				t.Errorf("%s, attributes %b: lost %b, %v", name, m.Mask, lost, err)
			}
		}
	}
}

// fix marks a file or directory until the function is called, or the test ends.
func fix(t *testing.T, at string, flag int) (end func()) {
	t.Helper()
	f, err := os.Open(at)
	must(t, err)
	was, err := unix.IoctlGetInt(int(f.Fd()), ioctlGetFlags)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), ioctlSetFlags, was|flag)
	}
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("SKIPPED, NOT TESTED: the filesystem of the directory for temporary files knows no chattr")
	}
	must(t, err)
	end = func() {
		if f != nil {
			must(t, unix.IoctlSetPointerInt(int(f.Fd()), ioctlSetFlags, was))
			must(t, f.Close())
			f = nil
		}
	}
	t.Cleanup(end)
	return end
}

// TestXattrNoRoom: an attribute is lost if the filesystem does not take it, not if there
// is no room for it just now.
func TestXattrNoRoom(t *testing.T) {
	r, err := OpenWritable(t.TempDir())
	must(t, err)
	defer r.Close()
	for _, c := range []struct {
		name string
		errs []error // of one call after the other
		lost sdk.Lost
		err  error
	}{
		{"too large", []error{unix.ENOSPC, unix.ENOSPC}, sdk.LostXattrs, nil},
		{"much too large", []error{unix.E2BIG}, sdk.LostXattrs, nil},
		{"quota", []error{unix.EDQUOT}, 0, unix.EDQUOT},
		{"room again", []error{unix.ENOSPC, nil}, 0, nil},
		{"room and quota", []error{unix.ENOSPC, unix.EDQUOT}, 0, unix.EDQUOT},
	} {
		w := work{s: subject{root: r, fd: r.FD()}, m: &sdk.Meta{}}
		err := w.change("user.x", func() error {
			err := c.errs[0]
			c.errs = c.errs[1:]
			return err
		})
		if w.lost != c.lost || !errors.Is(err, c.err) || len(c.errs) != 0 {
			t.Errorf("%s: lost %b, %v", c.name, w.lost, err)
		}
	}
}
