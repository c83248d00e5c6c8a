package wasm

import (
	"context"
	"errors"

	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// writing is a writer at work. Its context outlives the call that opened it.
type writing struct {
	*wire.WriteDecoder
	stop context.CancelFunc
}

func (s *Server) write(b []byte, id uint32, h *held) ([]byte, error) {
	if h.target == nil {
		return b, noTarget("write")
	}
	ctx, stop := context.WithCancel(s.life)
	w, err := h.target.Write(ctx)
	if err != nil {
		stop()
		return b, err
	}
	wr := &writing{WriteDecoder: wire.NewWriteDecoder(w), stop: stop}
	at, err := s.add(&held{writer: wr, resource: id, close: func() error {
		wr.stop()
		wr.Abandon()
		return nil
	}})
	return appendHandle(b, at), err
}

// put passes events to a writer, or ends it. After an error it is given up.
func (s *Server) put(ctx context.Context, b []byte, m Method, id uint32, h *held, c *wire.Cursor) ([]byte, error) {
	if h.writer == nil {
		return b, badHandle("write")
	}
	if m == Put {
		if err := h.writer.Feed(c.Rest()); err != nil {
			return b, errors.Join(err, s.close(id))
		}
		return b, nil
	}
	// It is out of the table before it ends, so that nobody gives it up.
	s.mu.Lock()
	delete(s.open, id)
	s.mu.Unlock()
	defer h.writer.stop()
	results, err := h.writer.Finish()
	if err != nil {
		return b, err
	}
	return s.startStream(ctx, b, h.resource, func(_ context.Context, out emit) error {
		var piece []byte
		for _, r := range results {
			if piece = wire.AppendResult(piece, r); len(piece) >= gather {
				if err := out(piece); err != nil {
					return err
				}
				piece = piece[:0]
			}
		}
		if len(piece) == 0 {
			return nil
		}
		return out(piece)
	})
}
