//go:build !wasip1

package grant

import (
	"context"
	"errors"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Server gives a set to a guest: the far end of what [Through] is the near one of.
// Calls may be concurrent.
type Server struct {
	set  *Set
	open *wasm.Server
}

// NewServer returns a server for a set, which stays the caller's. What a guest has
// open ends with life and is given back by Close.
func NewServer(life context.Context, set *Set) *Server {
	return &Server{set: set, open: wasm.NewServer(life)}
}

// Close gives back all that the guest has open.
func (s *Server) Close() error { return s.open.Close() }

// Answer answers one call, appending to b.
func (s *Server) Answer(ctx context.Context, b []byte, m wasm.Method, request []byte) []byte {
	start := len(b)
	out, known, err := s.open.Serve(ctx, wasm.AppendAnswer(b), m, request)
	if !known {
		out, err = s.serve(ctx, out, m, wire.NewCursor(request))
	}
	if err != nil {
		return wasm.AppendFailure(b[:start], "call", err)
	}
	return out
}

func bad(op string, err error) error {
	return &sdk.Error{Kind: sdk.KindInput, Op: op, Msg: err.Error()}
}

func (s *Server) serve(ctx context.Context, b []byte, m wasm.Method, c *wire.Cursor) ([]byte, error) {
	switch m {
	case wasm.Dirs:
		list, err := s.set.granted()
		for _, d := range list {
			write := byte(0)
			if d.Write {
				write = 1
			}
			b = wire.AppendStr(append(b, write), d.Path)
		}
		return b, err
	case wasm.DirList, wasm.DirStat, wasm.DirOpen, wasm.DirSource, wasm.DirTarget:
		return s.dir(ctx, b, m, c)
	case wasm.ReadAt:
		return s.readAt(b, c)
	case wasm.WebDo:
		return s.web(ctx, b, c)
	case wasm.WebRead:
		return s.webRead(ctx, b, c)
	}
	return b, &sdk.Error{Kind: sdk.KindUnsupported, Op: "call", Msg: "the runner does not know the method"}
}

func (s *Server) dir(ctx context.Context, b []byte, m wasm.Method, c *wire.Cursor) ([]byte, error) {
	index := int(c.U32())
	p, err := c.Path()
	if err != nil {
		return b, bad("find grant", err)
	}
	dirs, err := s.set.Dirs()
	if err != nil {
		return b, err
	}
	if index < 0 || index >= len(dirs) {
		return b, bad("find grant", errors.New("there is no such directory"))
	}
	d := dirs[index]
	if m == wasm.DirSource || m == wasm.DirTarget {
		return s.tree(ctx, b, m, d, p, c)
	}
	if err := c.Done(); err != nil {
		return b, bad("find grant", err)
	}
	switch m {
	case wasm.DirList:
		return s.open.HoldStream(ctx, b, func(ctx context.Context, emit func([]byte) error) error {
			rows := wasm.NewRows(emit)
			if err := s.set.list(ctx, index, p, rows.Add); err != nil {
				return err
			}
			return rows.Flush()
		})
	case wasm.DirStat:
		e, err := d.Stat(ctx, p)
		if err != nil {
			return b, err
		}
		return wire.AppendEntryOrFault(b, &e)
	}
	f, err := d.Open(ctx, p)
	if err != nil {
		return b, err
	}
	id, err := s.open.Hold(f, f.Close)
	if err != nil {
		return b, err
	}
	e := f.Entry()
	return wire.AppendEntryOrFault(appendID(b, id), &e)
}

func (s *Server) tree(ctx context.Context, b []byte, m wasm.Method, d *Dir, p sdk.Path, c *wire.Cursor) ([]byte, error) {
	o := TreeOptions{CrossMounts: c.U8() != 0, Jobs: int(c.U8()), MarkKey: string(c.Str())}
	if err := c.Done(); err != nil {
		return b, bad("open tree", err)
	}
	if m == wasm.DirSource {
		src, err := d.Source(ctx, p, o)
		if err != nil {
			return b, err
		}
		return s.open.HoldSource(b, src)
	}
	t, err := d.Target(ctx, p, o)
	if err != nil {
		return b, err
	}
	return s.open.HoldTarget(b, t)
}

func (s *Server) readAt(b []byte, c *wire.Cursor) ([]byte, error) {
	f, ok := s.open.Held(c.U32()).(*File)
	off, n := int64(c.U64()), c.U32()
	if err := c.Done(); err != nil || off < 0 || n > sdk.MaxChunk {
		return b, bad("read", errors.New("offset or length out of range"))
	}
	if !ok {
		return b, &sdk.Error{Kind: sdk.KindGone, Op: "read", Msg: "no such file is open"}
	}
	at := len(b)
	b = append(b, make([]byte, n)...)
	got, err := f.ReadAt(b[at:], off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:at+got], err
}
