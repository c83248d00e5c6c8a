package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/resume"
)

const (
	// yieldTime is how long a client may take to show that it is there when
	// another one wants its place.
	yieldTime = 5 * time.Second
	// askTime is how long the asked session may take in all: it closes what is open.
	askTime = 20 * time.Second
)

// The verbs of a session's door.
const (
	verbResume = "resume"
	verbYield  = "yield"
)

// session is what an agent does for one client, over one connection or several.
type session struct {
	url    string
	grant  string
	window time.Duration
	ended  chan struct{} // closed when nothing is open any more

	mu     sync.Mutex
	stream *resume.Stream // nil: the client does not resume, or has not come yet
}

// errand is what is said at the door; URL is yield's, Grant the others'.
type errand struct {
	Verb  string `json:"verb"`
	URL   string `json:"url,omitempty"`
	Grant string `json:"grant,omitempty"`
}

// granted is empty: that there is an answer is the answer.
type granted struct{}

// over is process.StreamOptions' Resume.
func (s *session) over(_ string, rw io.ReadWriteCloser) io.ReadWriteCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = resume.New(rw, resume.Options{Window: s.window})
	return s.stream
}

func (s *session) current() *resume.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream
}

// only does a verb for those alone who come by the restriction that the session
// began under: a token must not lead from one key's session to another's. For
// others there is no such session.
func (s *session) only(v Verb) Verb {
	return func(ctx context.Context, line []byte, conn *net.UnixConn, reply func(any) error) error {
		var r errand
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("read request: %w", err)
		}
		if r.Grant != s.grant {
			return &sdk.Error{Kind: sdk.KindNotExist, Op: "visit session", Msg: "it began under another restriction"}
		}
		return v(ctx, line, conn, reply)
	}
}

// resume gives the client's stream a new connection.
func (s *session) resume(_ context.Context, _ []byte, conn *net.UnixConn, reply func(any) error) error {
	stream := s.current()
	if stream == nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "resume", Msg: "this session's client does not resume"}
	}
	select {
	case <-stream.Done():
		return &sdk.Error{Kind: sdk.KindNotExist, Op: "resume", Msg: "the session has ended"}
	default:
	}
	if err := reply(granted{}); err != nil {
		return errors.Join(err, conn.Close())
	}
	return stream.Attach(conn)
}

// yield ends the session if it holds a URL and its client is not there.
func (s *session) yield(ctx context.Context, line []byte, conn *net.UnixConn, reply func(any) error) error {
	var r errand
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	stream := s.current()
	if r.URL != s.url || stream == nil {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "yield", Msg: "this is no session that could"}
	}
	ctx, cancel := context.WithTimeout(ctx, yieldTime)
	defer cancel()
	if stream.Alive(ctx) {
		return &sdk.Error{Kind: sdk.KindBusy, Op: "yield", Msg: "its client is there"}
	}
	stream.End(errors.New("another session took its place"))
	<-s.ended
	return errors.Join(reply(granted{}), conn.Close())
}

// takeOver asks the other sessions for a URL whose clients are gone to end, and
// reports whether one did.
func takeOver(ctx context.Context, doors, mine, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	tokens, err := Sessions(doors)
	if err != nil {
		return false
	}
	var asked sync.WaitGroup
	var mu sync.Mutex
	yielded := false
	for _, token := range tokens {
		if token == mine {
			continue
		}
		asked.Go(func() {
			var none granted
			conn, err := Knock(ctx, doors, token, errand{Verb: verbYield, URL: url}, &none)
			if err != nil {
				return // it stays, or has gone by itself
			}
			_ = conn.Close()
			mu.Lock()
			defer mu.Unlock()
			yielded = true
		})
	}
	asked.Wait()
	return yielded
}
