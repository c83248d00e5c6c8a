package ssh

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// far is the other machine, as far as one resource goes: a connection, an agent
// at its end, and the driver that the agent serves.
type far struct {
	hop     *hop
	clients []*ssh.Client
	agent   *agentProcess
	stream  *process.Stream
	driver  sdk.Driver
	request sdk.OpenRequest
	log     *slog.Logger
	once    sync.Once
}

// newFar connects, starts the agent and meets it.
func newFar(ctx context.Context, r *route, req sdk.OpenRequest, log *slog.Logger) (_ *far, err error) {
	f := &far{hop: r.last(), log: log}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	var l *link
	if f.clients, l, err = connect(ctx, r.hops, log); err != nil {
		return nil, err
	}
	client := f.clients[0]
	go func() {
		l.watch(f.hop.keepalive, func() {
			// A refusal is an answer too.
			_, _, _ = client.SendRequest("keepalive@openssh.com", true, nil)
		})
		// Where the way leads through other hosts, theirs may be what hangs.
		closeAll(f.clients)
	}()
	if f.agent, err = startAgent(client, f.hop, r, l, log); err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, f.hop.timeout)
	defer cancel()
	// An agent that does not read its input does not end with it.
	stop := context.AfterFunc(timed, func() { closeAll(f.clients) })
	f.stream, err = process.DialStream(timed, f.agent, process.StreamOptions{
		Program: Version, Silence: f.hop.keepalive, Compress: r.compress,
		Peer: "the agent on " + f.hop.alias, Why: f.agent.why,
	})
	stop()
	if err != nil {
		return nil, f.agent.greetingError(ctx, err)
	}
	if f.driver, err = f.stream.Driver(ctx); err != nil {
		return nil, err
	}
	desc := f.driver.Describe()
	config, err := desc.Schema.Parse(r.settings)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open " + r.inner + " on " + f.hop.alias, Msg: "the driver there says of its settings: " + err.Error() + "; mend remote_settings"}
	}
	// The agent opens the URL that it was started with and no other.
	f.request = sdk.OpenRequest{Address: sdk.Address{Scheme: desc.Schemes[0], Rest: r.inner}, Role: req.Role, MarkKey: req.MarkKey, Config: config}
	log.Debug("connected", "address", f.hop.address(), "user", f.hop.user)
	return f, nil
}

// open calls what opens the tree over there. Meanwhile, since each question takes
// a round trip, it asks the far driver what it thinks of that: its warnings go to
// the log, its complaints into the error. With an error the connection is closed.
func (f *far) open(ctx context.Context, open func() error) error {
	said := make(chan []schema.Diagnostic, 1)
	go func() { said <- f.driver.Check(ctx, f.request) }()
	err := open()
	if err != nil {
		defer f.close()
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind == sdk.KindGone || e.Kind == sdk.KindBusy {
			return err
		}
		return f.refused(err, e.Kind, <-said)
	}
	for _, d := range <-said {
		if d.Warning {
			f.log.Warn(d.Summary, "hint", d.Detail)
		}
	}
	return nil
}

// refused is the error of an open that failed over there, in the words of the
// far driver's complaint.
func (f *far) refused(err error, kind sdk.Kind, said []schema.Diagnostic) error {
	for _, d := range said {
		if !d.Warning {
			msg := d.Summary + " (" + strings.TrimSuffix(d.Detail, ".") + ")"
			if d.Attribute != "" {
				msg += "; mend remote_settings"
			}
			return &sdk.Error{Kind: kind, Op: "open on " + f.hop.alias, Msg: msg}
		}
	}
	return err
}

// close ends the agent and the connection.
func (f *far) close() {
	f.once.Do(func() {
		if f.stream != nil {
			_ = f.stream.Close()
		} else if f.agent != nil {
			_ = f.agent.Close()
		}
		if f.agent != nil {
			f.agent.await()
		}
		closeAll(f.clients)
	})
}
