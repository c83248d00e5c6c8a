package mirror_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// sneak writes other bytes of the same length and sets the time back.
func (w *world) sneak() {
	f := w.pick(w.files)
	if f == "" {
		return
	}
	var st unix.Stat_t
	err := unix.Lstat(w.full(f), &st)
	if err != nil || st.Size == 0 {
		return
	}
	b := make([]byte, st.Size)
	for i := range b {
		b[i] = byte('A' + w.rng.IntN(26))
	}
	h, err := w.open(f, 0)
	if err == nil {
		_, err = h.Write(b)
		_ = h.Close()
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, w.full(f), []unix.Timespec{st.Atim, st.Mtim}, 0)
	}
	w.do(err, "rewrite %q, same size, time set back", f)
}

func (w *world) move() {
	from, to := w.pick(w.all), w.name()
	if from == "" || to == keepName {
		return
	}
	w.do(os.Rename(w.full(from), w.full(to)), "mv %q %q", from, to)
}

func (w *world) swap() {
	a, b := w.pick(w.all), w.pick(w.all)
	if w.rng.IntN(2) == 0 {
		dirs := slices.DeleteFunc(slices.Clone(w.dirs), func(d string) bool { return d == "." })
		a, b = w.pick(dirs), w.pick(dirs)
	}
	if a == "" || b == "" || a == b || w.unseen(a, b) {
		return
	}
	w.do(unix.Renameat2(unix.AT_FDCWD, w.full(a), unix.AT_FDCWD, w.full(b), unix.RENAME_EXCHANGE), "swap %q %q", a, b)
}

// unseen reports whether two files may change places without anything that shows it: on
// xfs their change times stay, and they may look alike.
func (w *world) unseen(a, b string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(w.full("."), &fs) != nil || fs.Type != unix.XFS_SUPER_MAGIC {
		return false
	}
	var sa, sb unix.Stat_t
	return unix.Lstat(w.full(a), &sa) != nil || unix.Lstat(w.full(b), &sb) != nil ||
		sa.Mode&unix.S_IFMT == unix.S_IFREG && sb.Mode&unix.S_IFMT == unix.S_IFREG && sa.Size == sb.Size && sa.Mtim == sb.Mtim
}

func (w *world) link() {
	if f := w.pick(w.files); f != "" {
		n := w.name()
		w.do(os.Link(w.full(f), w.full(n)), "ln %q %q", f, n)
	}
}

// breakLink puts a copy with the same looks in a file's place.
func (w *world) breakLink() {
	f := w.pick(w.files)
	if f == "" {
		return
	}
	data, err := os.ReadFile(w.full(f))
	var st unix.Stat_t
	if err == nil {
		err = unix.Lstat(w.full(f), &st)
	}
	temp := w.full(filepath.Join(filepath.Dir(f), "copy"))
	if err == nil {
		err = w.create(filepath.Join(filepath.Dir(f), "copy"), data)
	}
	if err == nil {
		_ = os.Lchown(temp, int(st.Uid), int(st.Gid))
		_ = unix.Chmod(temp, st.Mode&0o7777)
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, temp, []unix.Timespec{st.Atim, st.Mtim}, 0)
		err = os.Rename(temp, w.full(f))
	}
	w.do(err, "cp -p %q over itself", f)
}

func (w *world) chmod() {
	modes := []uint32{0o600, 0o644, 0o755, 0o4755, 0o2755, 0o1777, 0o000, 0o500}
	n, m := w.pick(append(w.files, w.dirs...)), modes[w.rng.IntN(len(modes))]
	if os.Geteuid() != 0 {
		m |= 0o700 // or the mirror may not read it, which is another matter
	}
	w.do(unix.Chmod(w.full(n), m), "chmod %o %q", m, n)
}

func (w *world) chown() {
	if n := w.pick(w.all); n != "" {
		id := w.rng.IntN(3) * 1000
		w.do(os.Lchown(w.full(n), id, id), "chown %d %q", id, n)
	}
}

func (w *world) utimes() {
	n, at := w.pick(append(w.all, ".")), w.time()
	w.do(unix.UtimesNanoAt(unix.AT_FDCWD, w.full(n), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW), "touch -d @%d.%d %q", at.Sec, at.Nsec, n)
}

func (w *world) setXattr() {
	n, name := w.pick(append(w.files, w.dirs...)), w.pick([]string{"user.a", "user.b", "trusted.c"})
	v := w.bytes()[:0:0]
	for range w.rng.IntN(20) {
		v = append(v, byte(w.rng.IntN(256)))
	}
	w.do(unix.Lsetxattr(w.full(n), name, v, 0), "setfattr %s=%x %q", name, v, n)
}

func (w *world) removeXattr() {
	n, name := w.pick(append(w.files, w.dirs...)), w.pick([]string{"user.a", "user.b", "trusted.c"})
	w.do(unix.Lremovexattr(w.full(n), name), "setfattr -x %s %q", name, n)
}

func (w *world) setACL() {
	name, n := "system.posix_acl_access", w.pick(append(w.files, w.dirs...))
	if w.rng.IntN(2) == 0 {
		name, n = "system.posix_acl_default", w.pick(w.dirs)
	}
	w.do(unix.Lsetxattr(w.full(n), name, aclOf(uint32(1000+w.rng.IntN(3))), 0), "setfacl (%s) %q", name, n)
}

// aclOf is a list in the kernel's encoding that lets one more user read.
func aclOf(uid uint32) []byte {
	const none = 0xffffffff
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 7, none}, {0x02, 5, uid}, {0x04, 5, none}, {0x10, 5, none}, {0x20, 0, none}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

func (w *world) symlink() {
	n, to := w.name(), w.pick([]string{"a", "../b", "../../away", "nowhere", ".", "\xff"})
	w.do(os.Symlink(to, w.full(n)), "ln -s %q %q", to, n)
}

func (w *world) special() {
	n := w.name()
	if w.rng.IntN(2) == 0 {
		w.do(unix.Mkfifo(w.full(n), 0o640), "mkfifo %q", n)
		return
	}
	w.do(unix.Mknod(w.full(n), unix.S_IFCHR|0o600, int(unix.Mkdev(1, uint32(3+w.rng.IntN(3))))), "mknod %q", n)
}

func (w *world) retype() {
	n := w.pick(w.all)
	if n == "" {
		return
	}
	w.remove(n)
	switch w.rng.IntN(4) {
	case 0:
		w.write(n, w.bytes())
	case 1:
		w.do(os.Mkdir(w.full(n), 0o700), "mkdir %q", n)
		w.write(filepath.Join(n, "in"), w.bytes())
	case 2:
		w.do(os.Symlink("in", w.full(n)), "ln -s in %q", n)
	case 3:
		w.do(unix.Mkfifo(w.full(n), 0o600), "mkfifo %q", n)
	}
}

func (w *world) appendTo() {
	f := w.pick(w.files)
	h, err := w.open(f, os.O_APPEND)
	if err == nil {
		_, err = h.Write([]byte("more"))
		_ = h.Close()
	}
	w.do(err, "append to %q", f)
}

func (w *world) truncate() {
	f, n := w.pick(w.files), w.rng.Int64N(200_000)
	w.do(os.Truncate(w.full(f), n), "truncate %q %d", f, n)
}

func (w *world) replace() {
	f := w.pick(w.files)
	if f == "" {
		return
	}
	temp := w.full(filepath.Join(filepath.Dir(f), "temp"))
	err := w.create(filepath.Join(filepath.Dir(f), "temp"), w.bytes())
	if err == nil {
		err = os.Rename(temp, w.full(f))
	}
	w.do(err, "replace %q", f)
}
