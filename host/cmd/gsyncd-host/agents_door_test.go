package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/agent"
)

// TestAgentsDoorStays has a host begin and end on a machine where an agent serves
// another one, with the directories that both have where nobody says otherwise: the
// agent can be reached as before.
func TestAgentsDoorStays(t *testing.T) {
	t.Parallel()
	doors, err := agent.RuntimeDir("")
	check(t, err)
	token := agent.NewToken()
	echo := func(_ context.Context, _ []byte, conn *net.UnixConn, answer func(any) error) error {
		return errors.Join(answer(struct{}{}), conn.Close())
	}
	door, err := agent.OpenDoor(doors, token, map[string]agent.Verb{"echo": echo}, slog.New(slog.DiscardHandler))
	check(t, err)
	t.Cleanup(func() { check(t, door.Close()) })

	pl := newPlace(t)
	pl.environ = slices.DeleteFunc(pl.environ, func(v string) bool { return strings.HasPrefix(v, "TMPDIR=") })
	pl.write(t, "file", []byte("data"))
	pl.once(t, pl.p, pl.s)

	var answer struct{}
	conn, err := agent.Knock(t.Context(), doors, token, map[string]string{"verb": "echo"}, &answer)
	if err != nil {
		t.Fatalf("the agent's door after a host has begun: %v", err)
	}
	check(t, conn.Close())
}
