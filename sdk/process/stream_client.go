package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip" // both ends know it by this import
	"google.golang.org/grpc/keepalive"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// Stream is the client's end of a stream whose other end is in [ServeStream].
// Its methods may be called concurrently.
type Stream struct {
	raw     *streamConn
	conn    *grpc.ClientConn
	options StreamOptions
	agent   greeting
	resumed bool

	closing sync.Once
	closed  error
}

// noSettings is an HTTP/2 frame of settings that sets nothing. gRPC's client sends
// no call before the server's first settings, to know that it speaks HTTP/2. That
// the greeting has told: with this in front the first call need not wait for a
// round trip. The server's own settings follow, as they may at any time.
const noSettings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// DialStream meets the agent at the other end of a stream of bytes. What comes
// before its greeting is skipped, up to 64 KiB. An error is a *GreetingError, a
// *VersionError, or that of ctx; rw is closed then.
func DialStream(ctx context.Context, rw io.ReadWriteCloser, o StreamOptions) (*Stream, error) {
	r := bufio.NewReader(rw)
	s := &Stream{raw: newStreamConn(r, rw), options: o}
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	mine := greeting{program: o.Program}
	var err error
	if s.agent, err = awaitGreeting(r, agentWord, maxNoise); err == nil {
		if s.resumed = o.Resume != nil && s.agent.further != ""; s.resumed {
			mine.further = resumeWord
		}
		err = greet(s.raw, clientWord, mine)
	}
	if !stop() || ctx.Err() != nil {
		// The greeting's error tells what came until then. Somebody else whom the
		// context told may have been quicker to close the stream.
		err = errors.Join(context.Cause(ctx), err)
	}
	if err == nil {
		var over io.ReadWriteCloser = s.raw
		if s.resumed {
			over = o.Resume(s.agent.further, s.raw)
		}
		s.raw = newStreamConn(io.MultiReader(strings.NewReader(noSettings), over), over)
		s.conn, err = s.connect()
	}
	if err != nil {
		_ = s.raw.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stream) connect() (*grpc.ClientConn, error) {
	var used atomic.Bool
	half := s.options.silence() / 2
	alive := keepalive.ClientParameters{Time: max(pingEvery, half), Timeout: half, PermitWithoutStream: true}
	if s.resumed {
		alive = keepalive.ClientParameters{Time: never}
	}
	opts := append(dialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(alive),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errors.New("a stream cannot be dialled again")
			}
			return s.raw, nil
		}))
	if s.options.Compress {
		// The other end answers as it is asked.
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	return grpc.NewClient("passthrough:///stream", opts...)
}

// Token names the agent's session, see [StreamOptions]; "" if it has no name.
func (s *Stream) Token() string { return s.agent.further }

// Resumed reports whether the stream survives its connection.
func (s *Stream) Resumed() bool { return s.resumed }

// Driver returns the driver that is served at the other end. It is usable until
// the stream ends; calls then fail with sdk.KindGone.
func (s *Stream) Driver(ctx context.Context) (sdk.Driver, error) {
	return Driver(ctx, s.conn, s.driverOptions()...)
}

// Undescribed is Driver for those who know what they open: its Describe gives
// nothing, for which the other end need not be asked.
func (s *Stream) Undescribed() sdk.Driver { return newDriverClient(s.conn, s.driverOptions()) }

func (s *Stream) driverOptions() []Option {
	return []Option{WithTimeouts(s.options.Timeouts), withPeer(s.options.Peer, s.options.Why), WithHung(func(error) {
		// Nothing is known about its state, and it may hold locks.
		_ = s.raw.Close()
	})}
}

// Close ends the stream, and with it all that was opened through it. It may be
// called twice.
func (s *Stream) Close() error {
	s.closing.Do(func() { s.closed = errors.Join(s.conn.Close(), s.raw.Close()) })
	if s.closed != nil {
		return fmt.Errorf("close stream: %w", s.closed)
	}
	return nil
}
