package localtree

import (
	"bytes"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// plain lists the filesystems that know nothing but files and directories.
func plain(fsType string) bool {
	switch fsType {
	case "vfat", "exfat", "cifs":
		return true
	}
	return false
}

// sourceFeatures says what can be read from a primary. Nothing is tried on its
// entries: what does not occur there costs nothing. fine says that nanoseconds
// are kept.
func sourceFeatures(root *localfs.Root, fine bool) sdk.Features {
	f := sdk.CanOwner | sdk.CanDevices | sdk.CanSpecial | sdk.CanHardlinks
	if _, err := unix.Flistxattr(root.FD(), nil); err == nil {
		f |= sdk.CanXattrs | sdk.CanACL
		if localfs.Privileged() {
			f |= sdk.CanTrusted
		}
	}
	if fine {
		f |= sdk.FineMtime
	}
	return f
}

type probed struct {
	features  sdk.Features
	markSpace string // the namespace of marks, with its dot
}

// mark lets marks go to space if they may.
func (p *probed) mark(space, wanted string) {
	if wanted == "" || wanted == space {
		p.features |= sdk.CanMarks
		p.markSpace = space
	}
}

// probeTarget finds out what a secondary can keep, on a file that leaves no
// trace.
func (t *tree) probeTarget(o *Options) (probed, error) {
	var p probed
	root := t.root
	d, err := root.OpenPath(sdk.Root)
	if err != nil {
		return p, err
	}
	defer d.Close()
	f, done, err := probeFile(d)
	if err != nil {
		return p, err
	}
	defer done()
	fs, err := root.Filesystem()
	if err != nil {
		return p, err
	}
	fd := int(f.Fd())
	if !plain(fs.Type) {
		p.features |= sdk.CanSpecial | sdk.CanHardlinks
		// A device needs a name to be tried, and a name would show.
		if localfs.Privileged() && localfs.HasCap(unix.CAP_MKNOD) {
			p.features |= sdk.CanDevices
		}
	}
	if keepsNanoseconds(f) {
		p.features |= sdk.FineMtime
	}
	if canSet(fd, "user."+sdk.ReservedXattr+"probe", []byte{1}) {
		p.features |= sdk.CanXattrs
		p.mark("user.", o.MarkSpace)
	}
	if localfs.Privileged() && canSet(fd, "trusted."+sdk.ReservedXattr+"probe", []byte{1}) {
		p.features |= sdk.CanTrusted
		p.mark("trusted.", o.MarkSpace)
	}
	if canSet(fd, "system.posix_acl_access", probeACL()) {
		p.features |= sdk.CanACL
	}
	if canChown(fd) {
		p.features |= sdk.CanOwner
	}
	if o.Volume.IsZero() && o.SetVolumeMark == nil {
		return p, nil
	}
	f2, err := t.probeDir(d, o)
	p.features |= f2
	return p, err
}

// probeFile makes a file without a name, or one with a name of ours where that
// cannot be had; the directory's time is then put back.
func probeFile(d *localfs.Dir) (*os.File, func(), error) {
	if f, err := d.CreateUnnamed(); err == nil {
		return f, func() { f.Close() }, nil
	}
	before, err := d.Stat()
	if err != nil {
		return nil, nil, err
	}
	const name = sdk.ReservedPrefix + "probe"
	if err := d.Unlink(name); err != nil && sdk.KindOf(err) != sdk.KindNotExist {
		return nil, nil, err
	}
	f, err := d.Create(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() {
		f.Close()
		meta := sdk.MetaOf(&before, sdk.MetaMtime)
		// What is left behind is ours by its name: the host removes it.
		if d.Unlink(name) == nil {
			_, _ = d.SetOwnMeta(&meta)
		}
	}, nil
}

// canSet sets an attribute and reads it back: there are filesystems that say yes
// and keep nothing.
func canSet(fd int, name string, value []byte) bool {
	if unix.Fsetxattr(fd, name, value, 0) != nil {
		return false
	}
	got := make([]byte, len(value)+1)
	n, err := unix.Fgetxattr(fd, name, got)
	return err == nil && bytes.Equal(got[:n], value)
}

func canChown(fd int) bool {
	const some = 54321
	var st unix.Stat_t
	return unix.Fchown(fd, some, some) == nil && unix.Fstat(fd, &st) == nil && st.Uid == some && st.Gid == some
}

// probeACL is a list in the kernel's encoding with one entry more than a mode
// can say: version 2, then tag, permissions and id of each entry.
func probeACL() []byte {
	const none = 0xffffffff
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, none}, {0x02, 4, 0}, {0x04, 4, none}, {0x10, 4, none}, {0x20, 0, none}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}
