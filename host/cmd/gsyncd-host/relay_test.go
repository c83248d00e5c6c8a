package main

import (
	"net"
	"sync"
	"testing"
	"time"
)

// relay is a network between a client and a server on the loopback interface:
// it delays, and it can stop without a word.
type relay struct {
	listener net.Listener
	server   string
	delay    time.Duration // each way

	mu     sync.Mutex
	conns  []net.Conn
	holds  chan struct{} // closed: nothing is held
	opened int
	bytes  int64
}

// newRelay makes a relay to a server.
func newRelay(t *testing.T, server string, delay time.Duration) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	return relayFrom(t, l, server, delay)
}

// relayFrom is newRelay with the listener given.
func relayFrom(t *testing.T, l net.Listener, server string, delay time.Duration) *relay {
	t.Helper()
	r := &relay{listener: l, server: server, delay: delay, holds: make(chan struct{})}
	close(r.holds)
	go r.serve()
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.conns {
			c.Close()
		}
	})
	return r
}

func (r *relay) port() string {
	_, port, _ := net.SplitHostPort(r.listener.Addr().String())
	return port
}

func (r *relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			client.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, client, server)
		r.opened++
		r.mu.Unlock()
		go r.carry(client, server)
		go r.carry(server, client)
	}
}

// parcel is what was read at once, and when it is due.
type parcel struct {
	data []byte
	due  time.Time
}

// carry takes bytes one way, as many at a time as there are.
func (r *relay) carry(from, to net.Conn) {
	road := make(chan parcel, 4096)
	go func() {
		defer close(road)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			r.mu.Lock()
			r.bytes += int64(n)
			r.mu.Unlock()
			if n > 0 {
				road <- parcel{buf[:n], time.Now().Add(r.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	defer to.Close()
	for p := range road {
		if wait := time.Until(p.due); wait > 0 {
			<-time.After(wait)
		}
		r.mu.Lock()
		holds := r.holds
		r.mu.Unlock()
		<-holds
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			for range road {
			}
		}
	}
}

// reset breaks every connection.
func (r *relay) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	r.conns = nil
}

// hang stops everything on its way, as a link does that was pulled out.
func (r *relay) hang() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds = make(chan struct{})
}

// heal lets everything go on.
func (r *relay) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.holds)
}

func (r *relay) count() (opened int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened, r.bytes
}
