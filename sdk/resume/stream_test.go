package resume

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cutter is a connection that ends after some bytes written, or hangs then.
type cutter struct {
	net.Conn
	mu    sync.Mutex
	left  int
	hangs bool
	held  chan struct{}
	once  sync.Once
}

func (c *cutter) Write(p []byte) (int, error) {
	c.mu.Lock()
	n := min(len(p), c.left)
	c.left -= n
	over := c.left == 0
	c.mu.Unlock()
	if n > 0 {
		if m, err := c.Conn.Write(p[:n]); err != nil {
			return m, err
		}
	}
	switch {
	case !over:
		return n, nil
	case c.hangs:
		<-c.held
	default:
		c.Conn.Close()
	}
	return n, errors.New("cut")
}

func (c *cutter) Close() error {
	c.once.Do(func() { close(c.held) })
	return c.Conn.Close()
}

// network makes connections between two ends.
type network struct {
	t    *testing.T
	rand *rand.Rand
	far  *Stream
	made int
	cuts int // how many connections are to be cut
}

// pipe makes a connection that, as long as there are cuts to make, is cut.
func (n *network) pipe() (near, far io.ReadWriteCloser) {
	a, b := net.Pipe()
	n.made++
	if n.made > n.cuts {
		return a, b
	}
	wrap := func(c net.Conn) io.ReadWriteCloser {
		return &cutter{Conn: c, left: 1 + n.rand.IntN(200<<10), hangs: n.rand.IntN(4) == 0, held: make(chan struct{})}
	}
	return wrap(a), wrap(b)
}

func (n *network) dial(context.Context) (io.ReadWriteCloser, error) {
	if n.rand.IntN(6) == 0 {
		return nil, errors.New("no route")
	}
	near, far := n.pipe()
	_ = n.far.Attach(far)
	return near, nil
}

// TestCuts cuts connections at random places while bytes go both ways.
func TestCuts(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			n := &network{t: t, rand: rand.New(rand.NewPCG(seed, 1)), cuts: 12}
			near, far := n.pipe()
			n.far = New(far, Options{})
			lost, back := 0, 0
			s := New(near, Options{Dial: n.dial, Lost: func(error) { lost++ }, Back: func(time.Duration) { back++ }})
			there, here := make([]byte, 9<<20), make([]byte, 3<<20)
			for i := range there {
				there[i] = byte(n.rand.Uint32())
			}
			copy(here, there[1<<20:])
			var group sync.WaitGroup
			write := func(w io.Writer, b []byte, sizes *rand.Rand) {
				for len(b) > 0 {
					m := min(len(b), 1+sizes.IntN(100<<10))
					if _, err := w.Write(b[:m]); err != nil {
						t.Errorf("seed %d: write: %v", seed, err)
						return
					}
					b = b[m:]
				}
			}
			read := func(r io.Reader, want []byte) {
				got := make([]byte, len(want))
				if m, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("seed %d: after %d of %d bytes: %v", seed, m, len(want), err)
				}
			}
			group.Go(func() { write(s, there, rand.New(rand.NewPCG(seed, 2))) })
			group.Go(func() { write(n.far, here, rand.New(rand.NewPCG(seed, 3))) })
			group.Go(func() { read(n.far, there) })
			group.Go(func() { read(s, here) })
			group.Wait()
			if lost == 0 || back == 0 || lost-back > 1 || back > lost {
				t.Errorf("seed %d: lost %d times, back %d times", seed, lost, back)
			}
			s.Close()
			n.far.Close()
			synctest.Wait()
		})
	}
}

func pair(o Options) (near, far *Stream, nearConn, farConn net.Conn) {
	a, b := net.Pipe()
	return New(a, o), New(b, o), a, b
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, _, _ := pair(Options{})
		near.Write([]byte("the last words"))
		near.Close()
		near.Close()
		if b, err := io.ReadAll(far); string(b) != "the last words" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if _, err := far.Write([]byte("x")); err != io.ErrClosedPipe {
			t.Errorf("write: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); err != io.ErrClosedPipe {
			t.Errorf("read: %v", err)
		}
		if err := errors.Join(near.Err(), far.Err()); err != nil {
			t.Error(err)
		}
		far.Close()
	})
}

// TestCloseWhileTalking closes an end while the other one is writing: it learns of
// the end even though its writes fail.
func TestCloseWhileTalking(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			near, far, _, _ := pair(Options{})
			go io.Copy(far, rand.NewChaCha8([32]byte{}))
			io.CopyN(io.Discard, near, 100<<10)
			near.Close()
			closed := time.Now()
			<-far.Done()
			if took := time.Since(closed); took > 0 || far.Err() != nil {
				t.Errorf("it learnt of the end after %s: %v", took, far.Err())
			}
			far.Close()
		})
	}
}

// TestWindow loses a connection for good: the stream ends, but not too early, and
// says why.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		near, far, _, conn := pair(Options{Window: 40 * time.Second, Dial: func(context.Context) (io.ReadWriteCloser, error) { return nil, errors.New("no route") }})
		conn.Close()
		_, err := near.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "within 40s: no route") {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(began); took < 40*time.Second || took > 45*time.Second {
			t.Errorf("ended after %s", took)
		}
		if err := near.Attach(conn); err == nil {
			t.Error("an ended stream took a connection")
		}
		near.Close()
		<-far.Done()
	})
}

// TestFinal ends the stream at once when there is no use in waiting.
func TestFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("the key is refused")
		began := time.Now()
		near, far, _, conn := pair(Options{Dial: func(context.Context) (io.ReadWriteCloser, error) { return nil, Final(refused) }})
		conn.Close()
		if _, err := near.Write(make([]byte, Buffer+1)); !errors.Is(err, refused) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("ended after %s", took)
		}
		near.Close()
		far.Close()
	})
}

// TestAlive asks ends that are there, that hang, and that are gone.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, _, conn := pair(Options{})
		<-time.After(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if !near.Alive(ctx) {
			t.Error("the other end did not answer")
		}
		conn.Close()
		synctest.Wait()
		if near.Alive(ctx) {
			t.Error("nobody answered")
		}
		a, b := net.Pipe() // nobody reads b
		near.Attach(a)
		if near.Alive(ctx) {
			t.Error("an end that hangs answered")
		}
		b.Close()
		near.Close()
		far.Close()
	})
}

// TestQuiet lets a stream be idle for long: pings keep it.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far, _, _ := pair(Options{Lost: func(err error) { t.Errorf("lost: %v", err) }})
		<-time.After(time.Hour)
		near.Close()
		<-far.Done()
	})
}

// TestProtocol sends what no well-behaved end sends.
func TestProtocol(t *testing.T) {
	hello := appendCount(nil, frameHello, 0)
	with := func(b ...byte) []byte { return append(append([]byte{}, hello...), b...) }
	for name, sent := range map[string][]byte{
		"no hello":        appendHeader(nil, framePing, 0),
		"two hellos":      with(hello...),
		"hello too far":   appendCount(nil, frameHello, 1),
		"ack too far":     with(appendCount(nil, frameAck, 6)...),
		"ack backwards":   with(append(appendCount(nil, frameAck, 5), appendCount(nil, frameAck, 4)...)...),
		"unknown":         with(77, 0, 0, 0, 0),
		"ping with bytes": with(byte(framePing), 0, 0, 0, 1, 1),
		"empty data":      with(appendHeader(nil, frameData, 0)...),
		"too much data":   with(appendHeader(nil, frameData, maxData+1)...),
		"endless":         with(byte(frameData), 255, 255, 255, 255),
		"beyond buffer":   with(bytes.Repeat(append(appendHeader(nil, frameData, maxData), make([]byte, maxData)...), Buffer/maxData+1)...),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				go io.Copy(io.Discard, b)
				s := New(a, Options{})
				s.Write([]byte("five!"))
				synctest.Wait()
				b.Write(sent)
				<-s.Done()
				var broken *ProtocolError
				if !errors.As(s.Err(), &broken) {
					t.Errorf("ended with %v", s.Err())
				}
				b.Close()
				s.Close()
			})
		})
	}
}

// FuzzFrames feeds a stream what strangers may send.
func FuzzFrames(f *testing.F) {
	hello := appendCount(nil, frameHello, 0)
	f.Add(hello)
	f.Add(append(append(hello, appendHeader(nil, frameData, 3)...), "abc"...))
	f.Add(append(append(hello, appendHeader(nil, framePing, 0)...), appendHeader(nil, frameClose, 0)...))
	f.Add(append(hello, appendCount(nil, frameAck, 1<<63)...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		s := New(a, Options{Window: time.Hour})
		b.SetWriteDeadline(time.Now().Add(time.Second))
		b.Write(sent) // the stream may end before
		b.Close()
		s.mu.Lock()
		if s.in.len() > len(sent) {
			t.Error("more was received than was sent")
		}
		s.mu.Unlock()
		s.Close()
	})
}
