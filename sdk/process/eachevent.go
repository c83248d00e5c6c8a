package process

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// The numbers of fields, as in messages.proto.
const (
	fieldEvents = 2 // of a WriteRequest
	fieldData   = 8 // of a FileEvent
)

// eachEvent decodes the events of an encoded WriteRequest one by one and calls do
// for each. The generated code makes new memory for every piece of data and copies
// it there, and what collects that memory then costs as much again; here Data is
// a part of buf. The event and its Data are valid during the call.
func eachEvent(buf []byte, do func(*wirepb.FileEvent) error) error {
	var e wirepb.FileEvent
	if err := bounded(buf, (*wirepb.WriteRequest)(nil).ProtoReflect().Descriptor()); err != nil {
		return badInput("write", err)
	}
	for len(buf) > 0 {
		number, value, n, err := nextField(buf)
		if err == nil && number == fieldEvents {
			err = decodeEvent(value, &e)
		}
		if err != nil {
			return badInput("write", err)
		}
		if number == fieldEvents {
			if err := do(&e); err != nil {
				return err
			}
		}
		buf = buf[n:]
	}
	return nil
}

// decodeEvent leaves all but the data to the generated code.
func decodeEvent(b []byte, e *wirepb.FileEvent) error {
	e.Reset()
	var data []byte
	merge := proto.UnmarshalOptions{Merge: true}
	from := 0 // what is before was decoded
	for at := 0; at < len(b); {
		number, value, n, err := nextField(b[at:])
		if err != nil {
			return err
		}
		if number == fieldData {
			if err := merge.Unmarshal(b[from:at], e); err != nil {
				return err
			}
			data, from = value, at+n
		}
		at += n
	}
	if err := merge.Unmarshal(b[from:], e); err != nil {
		return err
	}
	e.Data = data
	return nil
}

// nextField takes the field at the start of b, which is n bytes long. Its number is
// 0 if it is not one of bytes.
func nextField(b []byte) (number protowire.Number, value []byte, n int, err error) {
	number, kind, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return 0, nil, 0, protowire.ParseError(tag)
	}
	length := protowire.ConsumeFieldValue(number, kind, b[tag:])
	if length < 0 {
		return 0, nil, 0, protowire.ParseError(length)
	}
	if kind != protowire.BytesType {
		return 0, nil, tag + length, nil
	}
	value, _ = protowire.ConsumeBytes(b[tag:])
	return number, value, tag + length, nil
}
