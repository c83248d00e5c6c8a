//go:build !wasip1

package grant

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

func appendID(b []byte, id uint32) []byte { return binary.LittleEndian.AppendUint32(b, id) }

// answering is a response whose body is being read.
type answering struct {
	*Response
	stop context.CancelFunc
}

// web sends a request. Its context outlives the call, since the body is read later;
// until the headers are there it ends with the call.
func (s *Server) web(ctx context.Context, b []byte, c *wire.Cursor) ([]byte, error) {
	m, err := c.WebRequest()
	if err != nil {
		return b, bad("request", err)
	}
	life, stop := context.WithCancel(s.open.Life())
	undo := context.AfterFunc(ctx, stop)
	resp, err := s.set.Do(life, &Request{Method: m.Method, URL: m.URL, Header: m.Header})
	undo()
	if err != nil {
		stop()
		return b, err
	}
	end := func() error {
		stop()
		return resp.Body.Close()
	}
	// What cannot be told is not held: the guest would not know what to close.
	out, err := wire.AppendWebResponse(appendID(b, 0), &wire.WebResponse{Status: uint16(resp.Status), Length: resp.Length, URL: resp.URL, Header: resp.Header})
	if err != nil {
		return b, errors.Join(err, end())
	}
	id, err := s.open.Hold(&answering{Response: resp, stop: stop}, end)
	if err != nil {
		return b, err
	}
	appendID(out[:len(b)], id)
	return out, nil
}

// webPiece is the most of a body that is read at once.
const webPiece = 256 << 10

// webRead reads more of a body; no bytes are its end.
func (s *Server) webRead(ctx context.Context, b []byte, c *wire.Cursor) ([]byte, error) {
	a, ok := s.open.Held(c.U32()).(*answering)
	if err := c.Done(); err != nil {
		return b, bad("read body", err)
	}
	if !ok {
		return b, &sdk.Error{Kind: sdk.KindGone, Op: "read body", Msg: "no such response is open"}
	}
	undo := context.AfterFunc(ctx, a.stop)
	defer undo()
	at := len(b)
	b = append(b, make([]byte, webPiece)...)
	n, err := io.ReadAtLeast(a.Body, b[at:], 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:at+n], err
}
