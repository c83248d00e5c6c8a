package localfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Names is the sorted list of a directory's names. It takes little more memory
// than the names themselves, and it does not change, so strings from it may be
// kept (they keep all of it).
type Names struct {
	text string // the names, each with a NUL after it
	refs []nameRef
}

type nameRef struct {
	head uint64 // the first eight bytes, for quick comparison
	at   uint64 // offset in text <<8 | length
}

// Len is the number of names.
func (n *Names) Len() int { return len(n.refs) }

// At is the i-th name in the order of bytes.
func (n *Names) At(i int) string {
	at := n.refs[i].at
	return n.text[at>>8:][:at&0xff]
}

// ptr is the i-th name for a system call, with its NUL.
func (n *Names) ptr(i int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(n.text)), n.refs[i].at>>8))
}

// minDirent is about the least that an entry takes in the buffer.
const minDirent = 24

const direntSize = 64 << 10

type direntBuf [direntSize]byte

// readNames reads the directory fd from its start.
func (r *Root) readNames(fd int) (*Names, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return nil, err
	}
	buf, _ := r.dirents.Get().(*direntBuf)
	if buf == nil {
		buf = new(direntBuf)
	}
	defer r.dirents.Put(buf)
	var text []byte
	n := &Names{}
	for {
		got, err := unix.ReadDirent(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if got == 0 {
			break
		}
		if text == nil {
			text = make([]byte, 0, got)
			n.refs = make([]nameRef, 0, got/minDirent+1)
		}
		text = n.parse(text, buf[:got])
	}
	n.text = unsafe.String(unsafe.SliceData(text), len(text))
	slices.SortFunc(n.refs, func(a, b nameRef) int {
		if c := cmp.Compare(a.head, b.head); c != 0 {
			return c
		}
		return cmp.Compare(n.text[a.at>>8:][:a.at&0xff], n.text[b.at>>8:][:b.at&0xff])
	})
	return n, nil
}

// parse appends the names of a buffer of struct linux_dirent64: inode 8, offset
// 8, record length 2, type 1, then the name up to its NUL.
func (n *Names) parse(text, b []byte) []byte {
	const nameAt = 19
	for len(b) > nameAt {
		length := int(binary.NativeEndian.Uint16(b[16:]))
		if length <= nameAt || length > len(b) {
			break
		}
		name := b[nameAt:length]
		ino := binary.NativeEndian.Uint64(b)
		b = b[length:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if ino == 0 || len(name) == 0 || len(name) > 255 || string(name) == "." || string(name) == ".." || bytes.IndexByte(name, '/') >= 0 {
			continue
		}
		var head [8]byte
		copy(head[:], name)
		n.refs = append(n.refs, nameRef{
			head: binary.BigEndian.Uint64(head[:]),
			at:   uint64(len(text))<<8 | uint64(len(name)),
		})
		text = append(append(text, name...), 0)
	}
	return text
}
