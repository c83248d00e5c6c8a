package process

import (
	"errors"
	"io"

	"google.golang.org/grpc/mem"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// sealed is a message as it came, not decoded: for [eachEvent], or to be passed on.
// The two ends between which it goes look into it.
type sealed struct{ data mem.BufferSlice }

// relay passes a client's stream of files on to one like it, whose other end
// checks what comes, as that of the client checks the results. It ends the stream
// in any case.
func (w *writer) relay(first *wirepb.WriteRequest, stream writeStream) ([]sdk.OpResult, error) {
	defer w.watch.end()
	if err := w.send(first.Events); err != nil {
		return nil, err
	}
	w.begun = len(first.Events)
	for {
		var m sealed
		err := stream.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		w.begun += m.data.Len() // at most: only the ends know
		if err := w.pass(&m); err != nil {
			return nil, err
		}
	}
	if err := w.finish(); err != nil {
		return nil, err
	}
	return w.results()
}

// pass sends a message that came from elsewhere.
func (w *writer) pass(m *sealed) error {
	w.watch.start()
	defer w.watch.stop()
	return w.sent(w.stream.SendMsg(m))
}
