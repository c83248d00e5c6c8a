package agent

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// relayGrace is how long a client's last words may take.
const relayGrace = 2 * time.Second

// Relay leads the client at the other end of rw to a session, whose door is in
// dir, and carries bytes both ways until either end is done. grant is [Options].Grant. That there is no
// such session is said to the client and is no error.
func Relay(ctx context.Context, rw io.ReadWriteCloser, dir, token, grant, program string) error {
	defer rw.Close()
	var none granted
	conn, err := Knock(ctx, dir, token, errand{Verb: verbResume, Grant: grant}, &none)
	if sdk.KindOf(err) == sdk.KindNotExist {
		return process.Announce(rw, program, process.NoSession)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := process.Announce(rw, program, token); err != nil {
		return fmt.Errorf("greet client: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = io.Copy(conn, rw)
		_ = conn.CloseWrite() // the session ends the other way then
	}()
	// A connection that breaks is no news: it is why there are relays.
	if _, err := io.Copy(rw, conn); err != nil {
		// The client has hung up; its last words may be on their way.
		select {
		case <-heard:
		case <-time.After(relayGrace):
		}
	}
	return nil
}
