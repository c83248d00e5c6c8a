package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
)

// DefaultSilence is how long the other end of a stream may be silent.
const DefaultSilence = 2 * time.Minute

// never is a time of keepalives that turns them off.
const never = time.Duration(math.MaxInt64)

// StreamOptions say how to speak over a stream.
type StreamOptions struct {
	// Program is the version of this program, for people at the other end.
	Program string
	// Token names the session, for those who come to it another way: the agent
	// tells the client. At most 64 letters and digits; "" for none.
	Token string
	// Resume makes of the connection, after the greetings, a stream that survives
	// it, and watches over it: Silence then only bounds the greetings. It is used
	// if the other end does the same: an agent offers it with a Token, and the
	// client gets that as token. It may be nil.
	Resume func(token string, rw io.ReadWriteCloser) io.ReadWriteCloser
	// Silence is after how long without a sign of life the other end is taken for
	// dead. Both ends send such signs by themselves, at half that time but, on
	// the client's side, not more often than every 10 seconds. 0 means
	// DefaultSilence.
	Silence time.Duration
	// Compress has all messages compressed, both ways; for clients. It costs both
	// ends processor time, and pays on a slow line.
	Compress bool
	// Timeouts bound single calls; for clients.
	Timeouts Timeouts
	// Peer names the other end in a client's errors; "" means "the plugin".
	Peer string
	// Why tells why the other end is gone, for a client's errors; "" if nothing
	// is known. It may be nil, and is called concurrently.
	Why func() string
}

func (o StreamOptions) silence() time.Duration {
	if o.Silence <= 0 {
		return DefaultSilence
	}
	return o.Silence
}

// ServeStream serves a driver to the one client at the other end of a stream of
// bytes. It returns when the client closes the stream, is silent for too long,
// or ctx ends; all that the client had open is closed then, and so is rw. The
// error says why there was no client; the end of one is none.
func ServeStream(ctx context.Context, rw io.ReadWriteCloser, d sdk.Driver, o StreamOptions) error {
	r := bufio.NewReader(rw)
	conn := newStreamConn(r, rw)
	defer conn.Close()
	client, err := meetClient(ctx, conn, r, o)
	if err != nil {
		return err
	}
	half := o.silence() / 2
	alive := keepalive.ServerParameters{Time: half, Timeout: half}
	if o.Resume != nil && client.further == resumeWord {
		rw = o.Resume(o.Token, conn)
		conn = newStreamConn(rw, rw)
		defer conn.Close()
		alive = keepalive.ServerParameters{Time: never}
	}
	var ending sync.WaitGroup
	server := grpc.NewServer(append(serverOptions(connWatcher{ending: &ending}),
		grpc.KeepaliveParams(alive))...)
	rpcpb.RegisterDriverServer(server, &driverServer{driver: d})
	rpcpb.RegisterResourceServer(server, &resourceServer{})
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	err = server.Serve(&onceListener{conn: conn})
	server.Stop()
	if !closedInTime(&ending) {
		return errors.New("resources not closed in time")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// meetClient exchanges greetings.
func meetClient(ctx context.Context, conn *streamConn, r *bufio.Reader, o StreamOptions) (greeting, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.silence(), fmt.Errorf("no client within %s", o.silence()))
	defer cancel()
	var client greeting
	done := make(chan error, 1)
	go func() {
		err := greet(conn, agentWord, greeting{program: o.Program, further: o.Token})
		if err == nil {
			client, err = awaitGreeting(r, clientWord, 0)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return client, err
	case <-ctx.Done():
		// What is blocked on a terminal or a pipe ends with the process.
		return greeting{}, context.Cause(ctx)
	}
}

// closedInTime waits until the sessions have ended, up to closeGrace.
func closedInTime(ending *sync.WaitGroup) bool {
	closed := make(chan struct{})
	go func() {
		ending.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return true
	case <-time.After(closeGrace):
		return false
	}
}
