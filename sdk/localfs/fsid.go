package localfs

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FS says what a filesystem is.
type FS struct {
	Type string // as the kernel's table of mounts has it, or the magic number in hexadecimal
	ID   string // its UUID, or what statfs calls its id
}

// String gives "type:id".
func (f FS) String() string { return f.Type + ":" + f.ID }

// Local reports whether all changes are made through this kernel, which stamps
// them with its clock and can tell of them. Behind a network or a FUSE server
// somebody else may change things.
func (f FS) Local() bool {
	switch f.Type {
	case "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "bcachefs", "zfs":
		return true
	}
	return false
}

const (
	ioctlGetUUID = 0x80111500 // FS_IOC_GETFSUUID, Linux 6.9
	ioctlXFSGeom = 0x80705864 // XFS_IOC_FSGEOMETRY_V1
	xfsGeomUUID  = 64         // where the UUID is in its 112 bytes
)

// Filesystem looks at the filesystem of the root.
func (r *Root) Filesystem() (FS, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(r.fd, &st); err != nil {
		return FS{}, fail("look at filesystem of "+r.path, "", err)
	}
	f := FS{Type: fsName(int64(st.Type))}
	var id struct {
		size byte
		id   [16]byte
	}
	if ioctlPtr(r.fd, ioctlGetUUID, unsafe.Pointer(&id)) == nil && id.size == 16 && id.id != [16]byte{} {
		f.ID = hex.EncodeToString(id.id[:])
		return f, nil
	}
	if f.Type == "xfs" {
		var geom [112]byte
		if ioctlPtr(r.fd, ioctlXFSGeom, unsafe.Pointer(&geom)) == nil {
			f.ID = hex.EncodeToString(geom[xfsGeomUUID : xfsGeomUUID+16])
			return f, nil
		}
	}
	f.ID = fmt.Sprintf("%08x%08x", uint32(st.Fsid.Val[0]), uint32(st.Fsid.Val[1]))
	return f, nil
}

func ioctlPtr(fd int, req uintptr, p unsafe.Pointer) error {
	if _, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), req, uintptr(p)); no != 0 {
		return no
	}
	return nil
}

func fsName(magic int64) string {
	switch uint32(magic) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4" // ext2 and ext3 as well
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.F2FS_SUPER_MAGIC:
		return "f2fs"
	case 0x2fc12fc1:
		return "zfs"
	case 0xca451a4e:
		return "bcachefs"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.MSDOS_SUPER_MAGIC:
		return "vfat"
	case unix.EXFAT_SUPER_MAGIC:
		return "exfat"
	case 0x7366746e, 0x5346544e:
		return "ntfs"
	case unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.SMB_SUPER_MAGIC:
		return "cifs"
	}
	return fmt.Sprintf("%x", uint32(magic))
}
