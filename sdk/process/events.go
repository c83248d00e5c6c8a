package process

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

const (
	// queueBytes is how much a queue gathers before it sends.
	queueBytes = 256 << 10
	// bigData is the length from which data is sent at once and not copied.
	bigData = 64 << 10
	// lag is how long what was gathered may wait while more comes slowly.
	lag = 50 * time.Millisecond
)

// eventQueue packs the events of many small files into few messages. It is for
// one goroutine.
type eventQueue struct {
	send   func([]*wirepb.FileEvent) error
	events []*wirepb.FileEvent
	bytes  int
	copies []byte // data of events, used again when they are sent
	sent   time.Time
}

// add queues an event with size bytes in it.
func (q *eventQueue) add(e *wirepb.FileEvent, size int) error {
	q.events = append(q.events, e)
	q.bytes += size + 16
	if q.bytes >= queueBytes || len(q.events) >= sdk.MaxBatch {
		return q.flush()
	}
	if e.Kind == wirepb.FileEvent_END && time.Since(q.sent) > lag {
		return q.flush()
	}
	return nil
}

// data queues a part of a file in pieces that a message may have. p is not
// needed afterwards.
func (q *eventQueue) data(off int64, p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), sdk.MaxChunk)]
		p = p[len(part):]
		e := &wirepb.FileEvent{Kind: wirepb.FileEvent_DATA, Offset: off, Data: part}
		off += int64(len(part))
		var err error
		if len(part) >= bigData {
			q.events = append(q.events, e)
			err = q.flush()
		} else {
			at := len(q.copies)
			q.copies = append(q.copies, part...)
			e.Data = q.copies[at:]
			err = q.add(e, len(part))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush sends what is queued. Sending encodes, so the events' memory is free
// when it returns.
func (q *eventQueue) flush() error {
	if len(q.events) == 0 {
		return nil
	}
	err := q.send(q.events)
	clear(q.events)
	q.events, q.copies, q.bytes, q.sent = q.events[:0], q.copies[:0], 0, time.Now()
	return err
}
