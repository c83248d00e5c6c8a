package ssh

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
)

// frames writes frames, from several goroutines.
type frames struct {
	mu  sync.Mutex
	w   io.Writer
	buf bytes.Buffer
	// broken, if not nil, is called when nobody takes them any more.
	broken func()
}

func (f *frames) onBroken(call func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = call
}

// frameStream is the frames of one kind.
type frameStream struct {
	frames *frames
	kind   byte
}

func (f *frames) stream(kind byte) io.Writer { return &frameStream{f, kind} }

// Write implements [io.Writer].
func (s *frameStream) Write(p []byte) (int, error) {
	f := s.frames
	f.mu.Lock()
	defer f.mu.Unlock()
	for sent := 0; sent < len(p); {
		part := p[sent:min(len(p), sent+maxFrame)]
		f.buf.Reset()
		f.buf.WriteByte(s.kind)
		f.buf.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		f.buf.Write(part)
		if _, err := f.w.Write(f.buf.Bytes()); err != nil {
			if f.broken != nil {
				f.broken()
			}
			return sent, err
		}
		sent += len(part)
	}
	return len(p), nil
}
