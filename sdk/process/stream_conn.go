package process

import (
	"io"
	"net"
	"sync"
	"time"
)

// streamConn makes a connection of a stream of bytes. It has no deadlines:
// what is to end early closes it.
type streamConn struct {
	io.Reader // perhaps with buffered bytes of rw
	rw        io.ReadWriteCloser
	once      sync.Once
	err       error
	closed    chan struct{}
}

var _ net.Conn = (*streamConn)(nil)

func newStreamConn(r io.Reader, rw io.ReadWriteCloser) *streamConn {
	return &streamConn{Reader: r, rw: rw, closed: make(chan struct{})}
}

// Write implements [net.Conn].
func (c *streamConn) Write(p []byte) (int, error) { return c.rw.Write(p) }

// Close implements [net.Conn].
func (c *streamConn) Close() error {
	c.once.Do(func() {
		c.err = c.rw.Close()
		close(c.closed)
	})
	return c.err
}

// LocalAddr implements [net.Conn].
func (c *streamConn) LocalAddr() net.Addr { return streamAddr{} }

// RemoteAddr implements [net.Conn].
func (c *streamConn) RemoteAddr() net.Addr { return streamAddr{} }

// SetDeadline implements [net.Conn] and does nothing.
func (c *streamConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn] and does nothing.
func (c *streamConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn] and does nothing.
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

// streamAddr is where both ends of a stream are, as far as anybody knows.
type streamAddr struct{}

// Network implements [net.Addr].
func (streamAddr) Network() string { return "stream" }

// String implements [net.Addr].
func (streamAddr) String() string { return "stream" }

// onceListener accepts one connection, and ends with it.
type onceListener struct {
	conn *streamConn
	once sync.Once
}

var _ net.Listener = (*onceListener)(nil)

// Accept implements [net.Listener].
func (l *onceListener) Accept() (conn net.Conn, err error) {
	l.once.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.conn.closed
	return nil, io.EOF
}

// Close implements [net.Listener].
func (l *onceListener) Close() error { return l.conn.Close() }

// Addr implements [net.Listener].
func (l *onceListener) Addr() net.Addr { return streamAddr{} }
