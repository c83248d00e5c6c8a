package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// maxLine is the longest request and the longest answer.
	maxLine = 64 << 10
	// knockTime is how long a visitor may take for its request.
	knockTime = 10 * time.Second
	// tokenLength is that of a session's token.
	tokenLength = 26
)

// NewToken makes a session's token, which nobody can guess: it is all that it
// takes, beside being the same user, to enter the session.
func NewToken() string { return rand.Text() }

// CheckToken tells a token from what is none.
func CheckToken(token string) error {
	if len(token) != tokenLength || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return fmt.Errorf("%q is no session's token", token)
	}
	return nil
}

// Verb is what a door does for a visitor: request is its line, a JSON object.
// The verb calls answer once, with what becomes the answer's line, a JSON object
// too. From then on the connection is the verb's, to close as well. An error
// before that is answered by the door, which then closes the connection. ctx
// ends when the door closes. Verbs run concurrently.
type Verb func(ctx context.Context, request []byte, conn *net.UnixConn, answer func(any) error) error

// Door is where other processes of the same user, on the same machine, reach a
// session: a unix socket with the session's token for a name. It is closed by
// Close, which may be called concurrently and twice.
type Door struct {
	path     string
	listener *net.UnixListener
	verbs    map[string]Verb
	log      *slog.Logger
	ctx      context.Context
	cancel   context.CancelFunc
	once     sync.Once
	visits   sync.WaitGroup
}

// knock is the part of a request that the door itself reads.
type knock struct {
	Verb string `json:"verb"`
}

// refusal is the answer of a door that does not do what it was asked for.
type refusal struct {
	Error *fault `json:"error,omitempty"`
}

type fault struct {
	Kind sdk.Kind `json:"kind"`
	Msg  string   `json:"msg"`
}

// OpenDoor opens the door of a session in dir, see [RuntimeDir]. Those of
// sessions whose processes have died are removed.
func OpenDoor(dir, token string, verbs map[string]Verb, log *slog.Logger) (*Door, error) {
	if err := CheckToken(token); err != nil {
		return nil, err
	}
	sweep(dir)
	d := &Door{path: filepath.Join(dir, token), verbs: verbs, log: log}
	// A socket that nobody listens at yet looks like a dead session's, so it gets
	// its name when somebody does.
	unborn := d.path + newSuffix
	var err error
	if d.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: unborn, Net: "unix"}); err != nil {
		return nil, fmt.Errorf("open the session's door: %w", err)
	}
	d.listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(unborn, 0o600), os.Rename(unborn, d.path)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the session's door: %w", err), d.listener.Close(), os.Remove(unborn))
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.visits.Go(d.serve)
	return d, nil
}

// Close removes the door and waits for the verbs that have not returned.
func (d *Door) Close() error {
	var err error
	d.once.Do(func() {
		d.cancel()
		err = errors.Join(os.Remove(d.path), d.listener.Close())
	})
	d.visits.Wait()
	return err
}

func (d *Door) serve() {
	for {
		conn, err := d.listener.AcceptUnix()
		if err != nil {
			return // closed
		}
		d.visits.Go(func() { d.visit(conn) })
	}
}

// visit hears one visitor.
func (d *Door) visit(conn *net.UnixConn) {
	answered, err := d.hear(conn)
	if answered {
		if err != nil {
			d.log.Debug("a visit to the session failed", "error", err)
		}
		return
	}
	if err != nil {
		_ = say(conn, refusal{&fault{Kind: sdk.KindOf(err), Msg: err.Error()}})
	}
	_ = conn.Close()
}

func (d *Door) hear(conn *net.UnixConn) (answered bool, err error) {
	if err := sameUser(conn); err != nil {
		return false, err
	}
	stop := context.AfterFunc(d.ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	_ = conn.SetReadDeadline(time.Now().Add(knockTime))
	line, err := readLine(conn)
	if err != nil {
		return false, fmt.Errorf("read request: %w", err)
	}
	if !stop() {
		return false, context.Cause(d.ctx)
	}
	_ = conn.SetReadDeadline(time.Time{})
	var k knock
	if err := json.Unmarshal(line, &k); err != nil {
		return false, fmt.Errorf("read request: %w", err)
	}
	verb := d.verbs[k.Verb]
	if verb == nil {
		return false, &sdk.Error{Kind: sdk.KindUnsupported, Op: "visit session", Msg: fmt.Sprintf("the verb %q is not known here", k.Verb)}
	}
	err = verb(d.ctx, line, conn, func(v any) error {
		answered = true
		return say(conn, v)
	})
	return answered, err
}

// say writes one line of JSON.
func say(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write to a visitor of the session: %w", err)
	}
	return nil
}

// readLine reads up to a newline and nothing beyond it.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxLine; {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, err
		}
		if one[0] == '\n' {
			return line, nil
		}
		line = append(line, one[0])
	}
	return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
}

// sameUser refuses what other users connect.
func sameUser(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at visitor: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return fmt.Errorf("look at visitor: %w", err)
	}
	if failed != nil {
		return fmt.Errorf("look at visitor: %w", failed)
	}
	if int(cred.Uid) != os.Geteuid() {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "visit session", Msg: fmt.Sprintf("user %d has no session here", cred.Uid)}
	}
	return nil
}
