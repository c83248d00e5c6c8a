package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// writer is the near end of a Write stream.
type writer struct {
	link   *link
	watch  *watchdog
	stream grpc.BidiStreamingClient[wirepb.WriteRequest, wirepb.WriteReply]
	queue  eventQueue
	id     uint64 // of the resource, until the first message has named it
	open   bool
	begun  int
	err    error // final
}

var _ sdk.Writer = (*writer)(nil)

// Write implements [sdk.Target].
func (t *targetClient) Write(ctx context.Context) (sdk.Writer, error) {
	w := &writer{link: t.link, watch: watch(ctx, t.link.timeouts.Work), id: t.id}
	stream, err := t.rpc.Write(w.watch.ctx)
	if err != nil {
		defer w.watch.end()
		return nil, t.link.failure(w.watch, "write", err)
	}
	w.stream = stream
	w.queue = eventQueue{send: w.send, sent: time.Now()}
	return w, nil
}

func (w *writer) send(events []*wirepb.FileEvent) error {
	err := w.sent(send(w.watch, w.stream, &wirepb.WriteRequest{Resource: w.id, Events: events}))
	w.id = 0
	return err
}

// sent is what comes of sending a message that ended with err.
func (w *writer) sent(err error) error {
	if errors.Is(err, io.EOF) {
		// The other side ended the stream; its reply says why.
		if _, err = w.results(); err == nil {
			err = badReply("write", errors.New("stream ends early"))
		}
		return err
	}
	return w.link.failure(w.watch, "write", err)
}

// results receives until the other side ends the stream.
func (w *writer) results() ([]sdk.OpResult, error) {
	var out []sdk.OpResult
	for {
		m, err := recv(w.watch, w.stream)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, w.link.failure(w.watch, "write", err)
		}
		if fault := faultFromWire(m.Error); fault != nil {
			if err := w.watch.parent.Err(); err != nil {
				return nil, fmt.Errorf("write: %w", err)
			}
			return nil, fault
		}
		for _, raw := range m.Results {
			r, err := resultFromWire(raw, "")
			if err == nil && len(out) >= w.begun {
				err = fmt.Errorf("more than %d results", w.begun)
			}
			if err != nil {
				return nil, badReply("write", err)
			}
			out = append(out, r)
		}
	}
}

// do runs a step, unless the stream has failed already.
func (w *writer) do(check error, step func() error) error {
	if w.err == nil && check != nil {
		w.err = badInput("write", check)
	}
	if w.err == nil {
		w.err = step()
	}
	if w.err != nil {
		w.watch.end()
	}
	return w.err
}

// Begin implements [sdk.Writer].
func (w *writer) Begin(f sdk.NewFile) error {
	check := wire.CheckNewFile(&f, w.open)
	size := wire.MetaSize(&f.Meta) + len(f.Path)
	if check == nil && size > maxMessage/2 {
		check = fmt.Errorf("%s: %d bytes of attributes are too many", f.Path, size)
	}
	return w.do(check, func() error {
		w.open = true
		w.begun++
		return w.queue.add(&wirepb.FileEvent{
			Kind: wirepb.FileEvent_BEGIN, Path: []byte(f.Path), Size: f.Size, Meta: metaToWire(&f.Meta),
		}, size)
	})
}

// Data implements [sdk.Writer]. p may be of any length.
func (w *writer) Data(off int64, p []byte) error {
	check := wire.CheckData(off, 0, w.open)
	if check == nil && off+int64(len(p)) < off {
		check = fmt.Errorf("data at %d", off)
	}
	return w.do(check, func() error { return w.queue.data(off, p) })
}

// End implements [sdk.Writer].
func (w *writer) End(keep bool) error {
	var check error
	if !w.open {
		check = errors.New("no file to end")
	}
	w.open = false
	return w.do(check, func() error {
		return w.queue.add(&wirepb.FileEvent{Kind: wirepb.FileEvent_END, Keep: keep}, 0)
	})
}

// Close implements [sdk.Writer].
func (w *writer) Close() ([]sdk.OpResult, error) {
	var out []sdk.OpResult
	var check error
	if w.open {
		check = errors.New("the stream ends inside a file")
	}
	err := w.do(check, func() error {
		if err := w.finish(); err != nil {
			return err
		}
		var err error
		if out, err = w.results(); err == nil && len(out) != w.begun {
			err = badReply("write", fmt.Errorf("%d results for %d files", len(out), w.begun))
		}
		return err
	})
	w.watch.end()
	if err != nil {
		return nil, err
	}
	w.err = &sdk.Error{Kind: sdk.KindInput, Op: "write", Msg: "the stream is closed"}
	return out, nil
}

// finish ends the near side. The first message names the resource, so one is
// sent even if there was nothing to write.
func (w *writer) finish() error {
	if err := w.queue.flush(); err != nil {
		return err
	}
	if w.id != 0 {
		if err := w.send(nil); err != nil {
			return err
		}
	}
	return w.link.failure(w.watch, "write", w.stream.CloseSend())
}
