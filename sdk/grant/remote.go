package grant

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wasm"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// Through returns the set that is served at the other side of a border. It is what
// [Given] is in a guest.
func Through(c wasm.Caller) *Set { return &Set{&remote{caller: c}} }

// remote reaches grants through the runner.
type remote struct{ caller wasm.Caller }

var _ backend = (*remote)(nil)

func badAnswer(op string, err error) error {
	return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: "the runner's answer is malformed: " + err.Error()}
}

func (r *remote) granted() (out []DirConfig, err error) {
	err = r.caller.Call(context.Background(), wasm.Dirs, nil, func(answer []byte) error {
		c := wire.NewCursor(answer)
		for c.More() {
			out = append(out, DirConfig{Write: c.U8() != 0, Path: string(c.Str())})
		}
		if err := c.Done(); err != nil {
			return badAnswer("list grants", err)
		}
		return nil
	})
	return out, err
}

// place begins a request about a path in a directory.
func place(dir int, p sdk.Path) []byte {
	return wire.AppendStr(binary.LittleEndian.AppendUint32(nil, uint32(dir)), string(p))
}

func (r *remote) list(ctx context.Context, dir int, p sdk.Path, each func(*sdk.Entry) error) error {
	return wasm.Pull(ctx, r.caller, "list", wasm.DirList, place(dir, p), func(rows []byte) error { return wasm.EachRow(rows, each) })
}

func (r *remote) stat(ctx context.Context, dir int, p sdk.Path) (e sdk.Entry, err error) {
	err = r.caller.Call(ctx, wasm.DirStat, place(dir, p), func(answer []byte) error { return oneEntry("stat", answer, &e) })
	return e, err
}

func oneEntry(op string, row []byte, e *sdk.Entry) error {
	rest, err := wire.NextEntry(row, e)
	if err == nil && len(rest) > 0 {
		err = errors.New("more than one entry")
	}
	if err != nil {
		return badAnswer(op, err)
	}
	return nil
}

func (r *remote) open(ctx context.Context, dir int, p sdk.Path) (file, sdk.Entry, error) {
	f := &remoteFile{handle{caller: r.caller}}
	var e sdk.Entry
	err := r.caller.Call(ctx, wasm.DirOpen, place(dir, p), func(answer []byte) error {
		c := wire.NewCursor(answer)
		f.id = c.U32()
		return oneEntry("open", c.Rest(), &e)
	})
	if err != nil {
		return nil, e, err
	}
	return f, e, nil
}

func treeRequest(dir int, p sdk.Path, o TreeOptions) []byte {
	cross := byte(0)
	if o.CrossMounts {
		cross = 1
	}
	return wire.AppendStr(append(place(dir, p), cross, byte(o.Jobs)), o.MarkKey)
}

func (r *remote) source(ctx context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Source, error) {
	return wasm.OpenSource(ctx, r.caller, wasm.DirSource, treeRequest(dir, p, o))
}

func (r *remote) target(ctx context.Context, dir int, p sdk.Path, o TreeOptions) (sdk.Target, error) {
	if len(o.MarkKey) > 32 {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open target", Msg: "the mark key is too long"}
	}
	return wasm.OpenTarget(ctx, r.caller, wasm.DirTarget, treeRequest(dir, p, o))
}

func (r *remote) do(ctx context.Context, req *Request) (*Response, error) {
	request, err := wire.AppendWebRequest(nil, &wire.WebRequest{Method: req.Method, URL: req.URL, Header: req.Header})
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "request", Msg: err.Error()}
	}
	out := &Response{}
	b := &remoteBody{handle: handle{caller: r.caller}, ctx: ctx}
	err = r.caller.Call(ctx, wasm.WebDo, request, func(answer []byte) error {
		c := wire.NewCursor(answer)
		b.id = c.U32()
		m, err := c.WebResponse()
		if err != nil {
			return badAnswer("request", err)
		}
		*out = Response{Status: int(m.Status), URL: m.URL, Header: m.Header, Length: m.Length, Body: b}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *remote) close() error { return nil }

// handle is something that is open at the runner.
type handle struct {
	caller wasm.Caller
	id     uint32
	closed bool
}

func (h *handle) request() []byte { return binary.LittleEndian.AppendUint32(nil, h.id) }

func (h *handle) Close() error {
	if h.closed {
		return nil
	}
	h.closed = true
	return h.caller.Call(context.Background(), wasm.Close, h.request(), nil)
}

type remoteFile struct{ handle }

// ReadAt implements [io.ReaderAt].
func (f *remoteFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &sdk.Error{Kind: sdk.KindInput, Op: "read", Msg: fmt.Sprintf("at %d", off)}
	}
	for n < len(p) {
		part := min(len(p)-n, sdk.MaxChunk)
		request := binary.LittleEndian.AppendUint64(f.request(), uint64(off)+uint64(n))
		request = binary.LittleEndian.AppendUint32(request, uint32(part))
		got := 0
		err := f.caller.Call(context.Background(), wasm.ReadAt, request, func(answer []byte) error {
			got = copy(p[n:n+part], answer)
			return nil
		})
		n += got
		if err != nil {
			return n, err
		}
		if got < part {
			return n, io.EOF
		}
	}
	return n, nil
}

type remoteBody struct {
	handle
	ctx context.Context
	buf []byte // not yet read
	end error
}

// Read implements [io.Reader].
func (b *remoteBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.buf) == 0 && b.end == nil {
		b.end = b.caller.Call(b.ctx, wasm.WebRead, b.request(), func(answer []byte) error {
			b.buf = append(b.buf[:0:0], answer...)
			if len(answer) == 0 {
				return io.EOF
			}
			return nil
		})
	}
	if len(b.buf) == 0 {
		return 0, b.end
	}
	n := copy(p, b.buf)
	b.buf = b.buf[n:]
	return n, nil
}
