package main

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/catalog"
)

// zipBox is a zip archive. Its files can be read in any order.
type zipBox struct {
	files []*zip.File
}

const (
	zipEncrypted = 1 << 0 // of File.Flags

	madeOnUnix = 3  // high byte of File.CreatorVersion
	madeOnMac  = 19 // with modes as on Unix

	extraOwner = 0x7875 // Info-ZIP's field for user and group
	maxTarget  = 4095   // of a symlink, that of Linux
)

// indexZip reads the central directory, and where symlinks point.
func indexZip(ctx context.Context, f io.ReaderAt, size int64, b *catalog.Builder, lim limits) (box, error) {
	r, err := zip.NewReader(f, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, broken("its directory of files is missing or damaged; is it still being written?")
		}
		return nil, err
	}
	// Many small reads would be many messages.
	r.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(bufio.NewReaderSize(r, 64<<10)) })
	z := &zipBox{files: r.File}
	var sum int64
	for i, f := range r.File {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if strings.Contains(f.Name, `\`) {
			b.Bad(f.Name, `has a backslash in its name, where zip has "/"`)
			continue
		}
		e := z.entry(f)
		if e.Type == sdk.TypeRegular {
			if sum += e.Size; sum > lim.bytes || sum < 0 {
				return nil, tooLarge(attrBytes, lim.bytes)
			}
		}
		b.Add(f.Name, catalog.Item{Entry: e, Ref: i,
			Version: fmt.Sprintf("%x %d %d.%d", f.CRC32, f.UncompressedSize64, e.Mtime.Sec, e.Mtime.Nsec)})
		if int64(b.Len()) > lim.entries {
			return nil, tooLarge(attrEntries, lim.entries)
		}
	}
	return z, nil
}

// entry describes a member.
func (z *zipBox) entry(f *zip.File) sdk.Entry {
	e := sdk.Entry{Type: sdk.TypeRegular, Perm: 0o644, Mtime: sdk.Time{Sec: f.Modified.Unix(), Nsec: uint32(f.Modified.Nanosecond())}}
	if strings.HasSuffix(f.Name, "/") {
		e.Type, e.Perm = sdk.TypeDir, 0o755
	}
	e.UID, e.GID = zipOwner(f.Extra)
	if made := f.CreatorVersion >> 8; made == madeOnUnix || made == madeOnMac {
		zipMode(&e, f.ExternalAttrs>>16)
	}
	if e.Err != nil || e.Type == sdk.TypeDir {
		return e
	}
	switch {
	case f.Flags&zipEncrypted != 0:
		return refused("it is encrypted; this driver has no passwords")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return refused("its compression method %d is not known here; only stored and deflated files are", f.Method)
	case f.UncompressedSize64 > 1<<62:
		return refused("it declares %d bytes", f.UncompressedSize64)
	}
	if e.Type == sdk.TypeSymlink {
		target, err := zipTarget(f)
		if err != nil {
			return refused("where it points cannot be read: %v", err)
		}
		e.Target = target
		return e
	}
	if e.Type == sdk.TypeRegular {
		e.Size = int64(f.UncompressedSize64)
	}
	return e
}

// refused is an entry that cannot be served.
func refused(format string, args ...any) sdk.Entry {
	return sdk.Entry{Perm: 0o600, Err: &sdk.Error{Kind: sdk.KindUnsupported, Op: "read", Msg: fmt.Sprintf(format, args...)}}
}

// zipMode takes over a mode as Unix has it.
func zipMode(e *sdk.Entry, mode uint32) {
	if mode == 0 {
		return // a program that knows of none
	}
	e.Perm = sdk.Perm(mode) & sdk.PermMask
	switch mode & 0xf000 {
	case 0, 0x8000:
	case 0x4000:
		e.Type = sdk.TypeDir
	case 0xa000:
		e.Type = sdk.TypeSymlink
	case 0x1000:
		e.Type = sdk.TypeFIFO
	case 0xc000:
		e.Type = sdk.TypeSocket
	default:
		*e = refused("it is a device, whose number zip does not keep")
	}
}

// zipOwner reads Info-ZIP's field, whose numbers have a length of their own. Who
// has none belongs to root.
func zipOwner(extra []byte) (uid, gid uint32) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return 0, 0
		}
		if f := extra[:n]; id == extraOwner && n > 2 && f[0] == 1 {
			u, rest, ok := zipNumber(f[1:])
			g, _, also := zipNumber(rest)
			if ok && also {
				return u, g
			}
		}
		extra = extra[n:]
	}
	return 0, 0
}

func zipNumber(b []byte) (n uint32, rest []byte, ok bool) {
	if len(b) == 0 || len(b) <= int(b[0]) {
		return 0, nil, false
	}
	digits, rest := b[1:1+int(b[0])], b[1+int(b[0]):]
	for i := len(digits) - 1; i >= 0; i-- {
		if n>>24 != 0 {
			return 0, nil, false
		}
		n = n<<8 | uint32(digits[i])
	}
	return n, rest, true
}

func zipTarget(f *zip.File) (string, error) {
	if f.UncompressedSize64 == 0 || f.UncompressedSize64 > maxTarget {
		return "", fmt.Errorf("%d bytes", f.UncompressedSize64)
	}
	r, err := openMember(f)
	if err != nil {
		return "", err
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, maxTarget+1))
	if err != nil {
		return "", err
	}
	if strings.IndexByte(string(target), 0) >= 0 || len(target) > maxTarget {
		return "", errors.New("no path")
	}
	return string(target), nil
}

// openMember begins to read a member's data, which is held against its checksum at
// the end.
func openMember(f *zip.File) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil || f.CRC32 != 0 {
		return r, err
	}
	return &zeroSum{ReadCloser: r}, nil
}

// zeroSum is data whose checksum is to be 0. The zip package takes that for none.
// Without a checksum nothing would tell one content from another, or from damage.
type zeroSum struct {
	io.ReadCloser
	sum uint32
}

// Read implements io.Reader.
func (z *zeroSum) Read(p []byte) (int, error) {
	n, err := z.ReadCloser.Read(p)
	z.sum = crc32.Update(z.sum, crc32.IEEETable, p[:n])
	if errors.Is(err, io.EOF) && z.sum != 0 {
		err = errors.New("its data does not have the checksum that the archive says, which is 0; was it left out?")
	}
	return n, err
}

// reader implements box.
func (z *zipBox) reader([]int) reader { return &zipReader{box: z} }

// zipReader reads members one after the other.
type zipReader struct {
	box  *zipBox
	open io.ReadCloser
}

var _ reader = (*zipReader)(nil)

// data implements reader.
func (z *zipReader) data(_ context.Context, ref int) (io.Reader, error) {
	z.close()
	var err error
	z.open, err = openMember(z.box.files[ref])
	return z.open, err
}

// right implements reader: the data was compared with the archive's checksum.
func (z *zipReader) right(int, uint64) bool { return true }

// sparse implements reader.
func (z *zipReader) sparse(int) bool { return false }

// close implements reader.
func (z *zipReader) close() {
	if z.open != nil {
		z.open.Close()
		z.open = nil
	}
}
