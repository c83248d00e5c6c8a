package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxText is the longest Op or Msg of an error; what is longer is cut.
const maxText = 4 << 10

// maxErrno is the largest number that Linux uses for an error.
const maxErrno = 4095

var errShort = errors.New("cut short")

// appendFault appends an error. What no reader would accept is left out: an
// error must get through whatever a driver put into it.
func appendFault(b []byte, e *sdk.Error) []byte {
	kind, errno, path := e.Kind, e.Errno, e.Path
	if !kind.Valid() {
		kind = sdk.KindFatal
	}
	if errno > maxErrno {
		errno = 0
	}
	if path.Validate() != nil {
		path = ""
	}
	b = append(b, byte(kind))
	b = binary.LittleEndian.AppendUint32(b, uint32(errno))
	b = AppendStr(b, clip(e.Op))
	b = AppendStr(b, string(path))
	return AppendStr(b, clip(e.Msg))
}

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// fault takes an error.
func (c *Cursor) fault() (*sdk.Error, error) {
	kind, errno := c.U8(), c.U32()
	op, path, msg := c.Str(), c.Str(), c.Str()
	if c.bad {
		return nil, errShort
	}
	e := &sdk.Error{Kind: sdk.Kind(kind), Op: string(op), Path: sdk.Path(path), Errno: syscall.Errno(errno), Msg: string(msg)}
	return e, ValidateError(e)
}

// ValidateError checks an error that came from the other side of the border.
func ValidateError(e *sdk.Error) error {
	switch {
	case !e.Kind.Valid():
		return fmt.Errorf("error kind %d is not known", uint8(e.Kind))
	case e.Errno > maxErrno:
		return fmt.Errorf("errno %d out of range", uint64(e.Errno))
	case len(e.Op) > maxText || len(e.Msg) > maxText:
		return errors.New("text of an error too long")
	case e.Path != "":
		return e.Path.Validate()
	}
	return nil
}
