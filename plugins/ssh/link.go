package ssh

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is a connection that knows when it last heard something.
type link struct {
	net.Conn
	heard  atomic.Int64 // when, in nanoseconds since began
	began  time.Time
	once   sync.Once
	closed chan struct{}

	mu  sync.Mutex
	why string
}

func newLink(c net.Conn) *link {
	return &link{Conn: c, began: time.Now(), closed: make(chan struct{})}
}

// Read implements [net.Conn].
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.heard.Store(int64(time.Since(l.began)))
	}
	if err != nil && !errors.Is(err, net.ErrClosed) { // that was this end's doing
		l.explain("the connection was lost: " + err.Error())
	}
	return n, err
}

// Close implements [net.Conn].
func (l *link) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// silent is for how long nothing was heard.
func (l *link) silent() time.Duration {
	return time.Since(l.began) - time.Duration(l.heard.Load())
}

// explain notes why the link ended. The first reason counts.
func (l *link) explain(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		l.why = why
	}
}

// reason is why the link ended, or "".
func (l *link) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// watch closes the link when nothing is heard for limit. ask makes the other
// end say something; it may block.
func (l *link) watch(limit time.Duration, ask func()) {
	tick := time.NewTicker(limit / 4)
	defer tick.Stop()
	asking := make(chan struct{}, 1)
	for {
		select {
		case <-l.closed:
			return
		case <-tick.C:
		}
		silent := l.silent()
		if silent > limit {
			l.explain("no sign of life for " + limit.String())
			_ = l.Close()
			return
		}
		if silent > limit/4 {
			select {
			case asking <- struct{}{}:
				go func() {
					ask()
					<-asking
				}()
			default: // the last question still waits
			}
		}
	}
}
