package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
)

// DefaultSilence is how long the other end of a stream may be silent.
const DefaultSilence = 2 * time.Minute

// StreamOptions say how to speak over a stream.
type StreamOptions struct {
	// Program is the version of this program, for people at the other end.
	Program string
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
	if err := meetClient(ctx, conn, r, o); err != nil {
		return err
	}
	var ending sync.WaitGroup
	half := o.silence() / 2
	server := grpc.NewServer(append(serverOptions(connWatcher{ending: &ending}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: half, Timeout: half}))...)
	rpcpb.RegisterDriverServer(server, &driverServer{driver: d})
	rpcpb.RegisterResourceServer(server, &resourceServer{})
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	err := server.Serve(&onceListener{conn: conn})
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
func meetClient(ctx context.Context, conn *streamConn, r *bufio.Reader, o StreamOptions) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.silence(), fmt.Errorf("no client within %s", o.silence()))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := greet(conn, agentWord, o.Program)
		if err == nil {
			err = awaitGreeting(r, clientWord, 0)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		// What is blocked on a terminal or a pipe ends with the process.
		return context.Cause(ctx)
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
