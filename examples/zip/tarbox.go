package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// tarBox is a tar archive. Nothing in it says where a file is, nor what its
// data's checksum is, so all of it is read once.
type tarBox struct {
	stream func() *stream
	files  []tarFile
	memory int64

	mu   sync.Mutex
	idle *stream // one that may be far into the archive already
}

// tarFile is what is known of a regular file.
type tarFile struct {
	name  string
	at    int64 // of its header in the stream
	size  int64
	sum   uint64
	holes bool
}

const (
	xattrRecord = "SCHILY.xattr." // begins the names of extended attributes in PAX records
	sparseInPax = "GNU.sparse."
)

// isTar looks at the checksum of a first header.
func isTar(head []byte) bool {
	var sum int64
	for i, c := range head {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
	}
	var want int64
	for _, c := range strings.Trim(string(head[148:156]), " \x00") {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | int64(c-'0')
	}
	return sum == want
}

// indexTar reads an archive from its beginning to its end.
func indexTar(ctx context.Context, f io.ReaderAt, size int64, packed bool, b *catalog.Builder, lim limits) (box, error) {
	t := &tarBox{memory: lim.memory, stream: func() *stream {
		return &stream{file: f, size: size, packed: packed, most: lim.bytes + lim.bytes/2 + lim.entries*2048 + 64<<20}
	}}
	s := t.stream()
	if err := s.seek(ctx, 0); err != nil {
		return nil, tarError(err)
	}
	tr := tar.NewReader(s)
	buf := make([]byte, 256<<10)
	empty := true
	for sum := int64(0); ; empty = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := (s.at + 511) &^ 511
		s.zeros = 0
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, tarError(err)
		}
		if h.Size < 0 || h.Size > lim.bytes-sum {
			return nil, tooLarge(attrBytes, lim.bytes)
		}
		sum += h.Size
		file := tarFile{name: h.Name, at: at, size: h.Size, holes: h.Typeflag == tar.TypeGNUSparse}
		for k := range h.PAXRecords {
			file.holes = file.holes || strings.HasPrefix(k, sparseInPax)
		}
		if file.sum, err = sumOf(ctx, tr, h.Size, buf); err != nil {
			return nil, tarError(err)
		}
		t.add(b, h, file)
		if int64(b.Len()) > lim.entries {
			return nil, tooLarge(attrEntries, lim.entries)
		}
	}
	if empty {
		return nil, broken("there is no entry in it, not even one of its directory; is it still being written?")
	}
	if s.zeros < 1024 {
		return nil, broken("it ends without the two empty blocks that end a tar; is it still being written?")
	}
	if err := s.drain(ctx); err != nil {
		return nil, tarError(err)
	}
	return t, nil
}

// tarError is what an error in the middle of an archive comes to.
func tarError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isPackError(err) {
		return broken("it is damaged or cut short (%v); is it still being written?", err)
	}
	return err
}

// add puts a member into the tree.
func (t *tarBox) add(b *catalog.Builder, h *tar.Header, file tarFile) {
	ref := len(t.files)
	e := sdk.Entry{
		Perm: sdk.Perm(h.Mode) & sdk.PermMask, UID: uint32(h.Uid), GID: uint32(h.Gid),
		Mtime:  sdk.Time{Sec: h.ModTime.Unix(), Nsec: uint32(h.ModTime.Nanosecond())},
		Xattrs: tarXattrs(h),
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader, 'V': // a comment, a label
		return
	case tar.TypeLink:
		b.Link(h.Name, h.Linkname)
		return
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		e.Type, e.Size = sdk.TypeRegular, h.Size
		t.files = append(t.files, file)
	case tar.TypeDir:
		e.Type = sdk.TypeDir
	case tar.TypeSymlink:
		e.Type, e.Target = sdk.TypeSymlink, h.Linkname
		if h.Linkname == "" || len(h.Linkname) > maxTarget || strings.IndexByte(h.Linkname, 0) >= 0 {
			e = refused("it is a symlink to no path")
		}
	case tar.TypeFifo:
		e.Type = sdk.TypeFIFO
	case tar.TypeChar, tar.TypeBlock:
		e.Type = sdk.TypeChar
		if h.Typeflag == tar.TypeBlock {
			e.Type = sdk.TypeBlock
		}
		e.Major, e.Minor = uint32(h.Devmajor), uint32(h.Devminor)
		if h.Devmajor < 0 || h.Devmajor > math.MaxUint32 || h.Devminor < 0 || h.Devminor > math.MaxUint32 {
			e = refused("its device number is out of range")
		}
	case 'M':
		e = refused("it begins in another volume of the archive")
	default:
		e = refused("its type %q is not known here", h.Typeflag)
	}
	if h.Uid < 0 || int64(h.Uid) > math.MaxUint32 || h.Gid < 0 || int64(h.Gid) > math.MaxUint32 {
		e = refused("its owner %d:%d is out of range", h.Uid, h.Gid)
	}
	b.Add(h.Name, catalog.Item{Entry: e, Ref: ref, Version: fmt.Sprintf("%x %d %d.%d", file.sum, h.Size, e.Mtime.Sec, e.Mtime.Nsec)})
}

// tarXattrs reads extended attributes, those left out that nobody can set.
func tarXattrs(h *tar.Header) []sdk.Xattr {
	var out []sdk.Xattr
	for k, v := range h.PAXRecords {
		name, ok := strings.CutPrefix(k, xattrRecord)
		_, own, _ := strings.Cut(name, ".")
		if !ok || name == "" || len(name) > sdk.MaxXattrName || len(v) > sdk.MaxXattrValue || strings.HasPrefix(own, sdk.ReservedXattr) {
			continue
		}
		out = append(out, sdk.Xattr{Name: name, Value: []byte(v)})
	}
	slices.SortFunc(out, func(a, b sdk.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return out
}
