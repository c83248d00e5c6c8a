package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// AppendOps appends operations, of at most sdk.MaxBatch.
func AppendOps(b []byte, ops []sdk.Op) ([]byte, error) {
	if len(ops) > sdk.MaxBatch {
		return b, fmt.Errorf("%d operations in one message", len(ops))
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(ops)))
	for i := range ops {
		if err := CheckOp(&ops[i]); err != nil {
			return b, err
		}
		var err error
		if b, err = appendOp(b, &ops[i]); err != nil {
			return b, fmt.Errorf("%s %q: %w", ops[i].Kind, ops[i].Path, err)
		}
	}
	return b, nil
}

func appendOp(b []byte, o *sdk.Op) ([]byte, error) {
	le := binary.LittleEndian
	b = AppendStr(append(b, byte(o.Kind)), string(o.Path))
	switch o.Kind {
	case sdk.OpSymlink:
		if len(o.Target) > maxTarget {
			return b, fmt.Errorf("target of %d bytes", len(o.Target))
		}
		return appendMeta(AppendStr(b, o.Target), &o.Meta)
	case sdk.OpMknod:
		b = append(b, byte(o.Type))
		b = le.AppendUint32(b, o.Major)
		return appendMeta(le.AppendUint32(b, o.Minor), &o.Meta)
	case sdk.OpLink, sdk.OpRename:
		return AppendStr(b, string(o.From)), nil
	case sdk.OpSetMeta:
		return appendMeta(b, &o.Meta)
	case sdk.OpSetMark:
		return o.Native.AppendBinary(AppendStr(b, string(o.Mark)))
	case sdk.OpSetVolumeMark:
		return appendVolumeMark(b, o.VolumeMark), nil
	}
	return b, nil
}

// Ops takes what AppendOps wrote, and checks it. Nothing in the message backs it
// afterwards.
func (c *Cursor) Ops() ([]sdk.Op, error) {
	n := c.count(int(c.U16()), 3)
	if n > sdk.MaxBatch {
		return nil, fmt.Errorf("%d operations in one message", n)
	}
	out := make([]sdk.Op, n)
	for i := range out {
		if err := c.op(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, c.Done()
}

func (c *Cursor) op(o *sdk.Op) (err error) {
	o.Kind, o.Path = sdk.OpKind(c.U8()), sdk.Path(c.Str())
	switch o.Kind {
	case sdk.OpSymlink:
		o.Target = string(c.Str())
		o.Meta, err = c.meta()
	case sdk.OpMknod:
		o.Type, o.Major, o.Minor = sdk.Type(c.U8()), c.U32(), c.U32()
		o.Meta, err = c.meta()
	case sdk.OpLink, sdk.OpRename:
		o.From = sdk.Path(c.Str())
	case sdk.OpSetMeta:
		o.Meta, err = c.meta()
	case sdk.OpSetMark:
		o.Mark, o.Native = bytes.Clone(c.Str()), c.native()
	case sdk.OpSetVolumeMark:
		o.VolumeMark = c.volumeMark()
		if o.VolumeMark.Until.Nsec >= 1e9 {
			err = fmt.Errorf("time out of range")
		}
	}
	switch {
	case c.bad:
		return errShort
	case err != nil:
		return fmt.Errorf("%s %q: %w", o.Kind, o.Path, err)
	}
	return CheckOp(o)
}

// LostKnown are all bits of an [sdk.Lost].
const LostKnown = sdk.LostOwner | sdk.LostPerm | sdk.LostXattrs | sdk.LostACL | sdk.LostMtime

// AppendResult appends the outcome of one operation.
func AppendResult(b []byte, r sdk.OpResult) []byte {
	b = append(b, byte(r.Lost&LostKnown))
	if r.Err == nil {
		return append(b, 0)
	}
	return appendFault(append(b, 1), r.Err)
}

// Result takes what AppendResult wrote, and checks it.
func (c *Cursor) Result() (sdk.OpResult, error) {
	r := sdk.OpResult{Lost: sdk.Lost(c.U8())}
	failed := c.U8()
	if c.bad {
		return r, errShort
	}
	if r.Lost&^LostKnown != 0 || failed > 1 {
		return r, fmt.Errorf("result %#x is not known", r.Lost)
	}
	if failed == 1 {
		r.Err = c.Error()
		if c.bad {
			return r, errShort
		}
	}
	return r, nil
}
