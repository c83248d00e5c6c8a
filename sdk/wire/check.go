package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// AsError makes an [*sdk.Error] of any error: one that is in the chain keeps all it
// has, and what was wrapped around it goes in front of its Op.
func AsError(op string, err error) *sdk.Error {
	var inner *sdk.Error
	if !errors.As(err, &inner) {
		return sdk.NewError(op, "", err)
	}
	out := *inner
	if prefix, ok := strings.CutSuffix(err.Error(), inner.Error()); ok {
		out.Op = prefix + inner.Op
	}
	return &out
}

// CheckOp checks an operation of either end: OpSync may be one.
func CheckOp(o *sdk.Op) error {
	if o.Kind == sdk.OpSync && o.Path == sdk.Root {
		return nil
	}
	return o.Validate()
}

// ValidateXattr checks an extended attribute that is to be set.
func ValidateXattr(x sdk.Xattr) error {
	if x.Name == "" || len(x.Name) > sdk.MaxXattrName || strings.IndexByte(x.Name, 0) >= 0 || len(x.Value) > sdk.MaxXattrValue {
		return fmt.Errorf("extended attribute %q out of range", x.Name)
	}
	return nil
}

// CheckNewFile checks the beginning of a file of a Write stream.
func CheckNewFile(f *sdk.NewFile, open bool) error {
	switch {
	case open:
		return errors.New("a file begins inside another")
	case f.Path == sdk.Root:
		return errors.New("the root is no file")
	case f.Size < 0:
		return fmt.Errorf("size %d", f.Size)
	}
	return f.Path.Validate()
}

// CheckData checks n bytes at off of a file of a Write stream.
func CheckData(off int64, n int, open bool) error {
	switch {
	case !open:
		return errors.New("data outside of a file")
	case n > sdk.MaxChunk:
		return fmt.Errorf("%d bytes of data in one message, more than %d", n, sdk.MaxChunk)
	case off < 0 || off+int64(n) < off:
		return fmt.Errorf("data at %d", off)
	}
	return nil
}

// FileOrder checks the sequence of a stream of files that are read.
type FileOrder struct {
	Open bool
	end  int64 // of the data so far
}

// Begin notes the beginning of a file.
func (o *FileOrder) Begin() error {
	if o.Open {
		return errors.New("a file begins inside another")
	}
	*o = FileOrder{Open: true}
	return nil
}

// Data notes n bytes at off.
func (o *FileOrder) Data(off int64, n int) error {
	switch {
	case !o.Open:
		return errors.New("data outside of a file")
	case n > sdk.MaxChunk:
		return fmt.Errorf("%d bytes of data in one message, more than %d", n, sdk.MaxChunk)
	case off < o.end || off+int64(n) < off:
		return fmt.Errorf("data at %d after data up to %d", off, o.end)
	}
	o.end = off + int64(n)
	return nil
}

// MaxRequest is where a list of paths, operations or files is split, in bytes.
const MaxRequest = 1 << 20

// Split calls f with consecutive parts of list, each of sdk.MaxBatch elements at
// most and, but for a single one, of MaxRequest bytes. It stops at an error.
func Split[T any](list []T, size func(*T) int, f func(first int, part []T) error) error {
	for first := 0; first < len(list); {
		end, bytes := first, 0
		for end < len(list) && end-first < sdk.MaxBatch {
			bytes += size(&list[end])
			if bytes > MaxRequest && end > first {
				break
			}
			end++
		}
		if err := f(first, list[first:end]); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// PathSize is what a path takes in a message, for Split.
func PathSize(p *sdk.Path) int { return len(*p) + 8 }

// OpSize is what an operation takes in a message, for Split.
func OpSize(o *sdk.Op) int {
	return 32 + len(o.Path) + len(o.From) + len(o.Target) + len(o.Mark) + MetaSize(&o.Meta)
}

// MetaSize is what attributes take in a message.
func MetaSize(m *sdk.Meta) int {
	n := 32
	for _, x := range m.Xattrs {
		n += len(x.Name) + len(x.Value) + 8
	}
	return n
}

// ValidMarkKey reports whether key can name a mirror in marks, or is empty.
func ValidMarkKey(key string) bool {
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(key) <= 32
}
