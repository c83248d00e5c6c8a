package resume

import (
	"encoding/binary"
	"fmt"
	"io"
)

type frameType byte

const (
	frameHello frameType = iota + 1
	frameData
	frameAck
	framePing
	framePong
	frameClose
)

const (
	headerSize = 5
	countSize  = 8
	// maxData is the most that a data frame may carry.
	maxData = 64 << 10
	// sendData is the most that this end puts into one: with its header it fills
	// a packet of ssh.
	sendData = 32<<10 - headerSize
)

// frame is one frame as it was read.
type frame struct {
	kind  frameType
	data  []byte // valid until the next frame is read
	count uint64
}

// frameReader reads frames. Each of them is checked as far as it can be alone.
type frameReader struct {
	r   io.Reader
	buf [maxData]byte
}

func (r *frameReader) next() (frame, error) {
	if _, err := io.ReadFull(r.r, r.buf[:headerSize]); err != nil {
		return frame{}, err
	}
	f := frame{kind: frameType(r.buf[0])}
	n := binary.BigEndian.Uint32(r.buf[1:headerSize])
	least, most := uint32(0), uint32(0)
	switch f.kind {
	case frameHello, frameAck:
		least, most = countSize, countSize
	case frameData:
		least, most = 1, maxData
	case framePing, framePong, frameClose:
	default:
		return frame{}, &ProtocolError{Msg: fmt.Sprintf("a frame of the unknown type %d", f.kind)}
	}
	if n < least || n > most {
		return frame{}, &ProtocolError{Msg: fmt.Sprintf("a frame of type %d with %d bytes", f.kind, n)}
	}
	f.data = r.buf[:n]
	if _, err := io.ReadFull(r.r, f.data); err != nil {
		return frame{}, err
	}
	if most == countSize {
		f.count, f.data = binary.BigEndian.Uint64(f.data), nil
	}
	return f, nil
}

// appendCount appends a frame that has a count.
func appendCount(b []byte, kind frameType, count uint64) []byte {
	return binary.BigEndian.AppendUint64(appendHeader(b, kind, countSize), count)
}

func appendHeader(b []byte, kind frameType, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(kind)), uint32(n))
}

// ProtocolError says that the other end does not keep to the protocol.
type ProtocolError struct{ Msg string }

// Error implements error.
func (e *ProtocolError) Error() string { return "the other end broke the stream's rules: " + e.Msg }
