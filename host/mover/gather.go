package mover

import "context"

// limits says how large a batch may be.
type limits struct {
	files int
	bytes int64
	// share divides what waits among so many workers, so that the first that is
	// free does not take everything.
	share int
	// sameDir ends a batch where the directory changes, if it has sameDir files
	// or more.
	sameDir int
}

func streamBatches() limits { return limits{files: 1000, bytes: 64 << 20, share: 1} }
func directBatches() limits { return limits{files: 64, bytes: 8 << 20, share: 1, sameDir: 16} }
func transferBatches(jobs int) limits {
	return limits{files: 64, bytes: 1 << 30, share: jobs}
}

// gather makes batches of what comes in: as large as the limits let them grow
// while all workers are busy, and without waiting when one is not. It closes
// out when in is closed.
func gather(ctx context.Context, in <-chan item, out chan<- []item, lim limits) {
	defer close(out)
	var held []item
	for in != nil || len(held) > 0 {
		if len(held) == 0 {
			select {
			case <-ctx.Done():
				return
			case it, ok := <-in:
				if !ok {
					return
				}
				held = append(held, it)
			}
		}
		// What is there already comes along.
		for in != nil && !lim.reached(held) {
			more := false
			select {
			case it, ok := <-in:
				if !ok {
					in = nil
				} else {
					held = append(held, it)
					more = true
				}
			default:
			}
			if !more {
				break
			}
		}
		from := in
		if lim.reached(held) {
			from = nil
		}
		n := lim.cut(held)
		select {
		case <-ctx.Done():
			return
		case it, ok := <-from:
			if !ok {
				in = nil
			} else {
				held = append(held, it)
			}
		case out <- held[:n:n]:
			held = append([]item(nil), held[n:]...)
		}
	}
}

// reached reports whether no more has to be held: enough for all workers.
func (l limits) reached(held []item) bool {
	return len(held) >= l.files || sum(held) >= l.bytes
}

// cut returns how many of held go out as one batch, at least one.
func (l limits) cut(held []item) int {
	most := l.bytes
	if l.share > 1 {
		most = min(most, sum(held)/int64(l.share))
	}
	var bytes int64
	for i := range held {
		if i > 0 && (i >= l.files || bytes+held[i].Entry.Size > most) {
			return i
		}
		if l.sameDir > 0 && i >= l.sameDir && held[i].Path.Dir() != held[i-1].Path.Dir() {
			return i
		}
		bytes += held[i].Entry.Size
	}
	return len(held)
}

func sum(held []item) int64 {
	var n int64
	for i := range held {
		n += held[i].Entry.Size
	}
	return n
}
