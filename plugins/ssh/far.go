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
	lacking, err := f.meet(ctx, r, l)
	if lacking && r.deployable() {
		err = f.deploy(ctx, r, l, err)
	}
	if err != nil {
		return nil, err
	}
	if f.driver, err = f.stream.Driver(ctx); err != nil {
		return nil, err
	}
	desc := f.driver.Describe()
	config, err := desc.Schema.WithDefaults(nil)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open " + r.inner + " on " + f.hop.alias, Msg: err.Error()}
	}
	// The agent opens the URL that it was started with and no other.
	f.request = sdk.OpenRequest{Address: sdk.Address{Scheme: desc.Schemes[0], Rest: r.inner}, Role: req.Role, MarkKey: req.MarkKey, Config: config}
	log.Debug("connected", "address", f.hop.address(), "user", f.hop.user)
	return f, nil
}

// meet starts the agent and waits for its greeting. It reports whether that
// failed for want of a matching program.
func (f *far) meet(ctx context.Context, r *route, l *link) (lacking bool, err error) {
	if f.agent, err = startAgent(ctx, f.clients[0], f.hop, r, l, f.log); err != nil {
		return false, err
	}
	timed, cancel := context.WithTimeout(ctx, f.hop.timeout)
	defer cancel()
	// An agent that does not read its input does not end with it.
	stop := context.AfterFunc(timed, func() { closeAll(f.clients) })
	f.stream, err = process.DialStream(timed, f.agent, process.StreamOptions{
		Program: Version, Silence: f.hop.keepalive,
		Peer: "the agent on " + f.hop.alias, Why: f.agent.why,
	})
	stop()
	if lacking = err != nil && f.agent.lacking(err); !lacking {
		f.agent.said.release() // it is not that there is no such command
	}
	if err != nil {
		return lacking, f.agent.greetingError(ctx, err)
	}
	return false, nil
}

// deploy puts the program there and meets it. Where that is not allowed, the
// error is the one for which it was tried.
func (f *far) deploy(ctx context.Context, r *route, l *link, before error) error {
	f.agent.await() // a server may allow one session at a time
	_ = f.agent.session.Close()
	f.agent = nil
	at, err := r.program.deploy(ctx, f.clients[0], f.hop, l, func() { closeAll(f.clients) }, f.log)
	var refused *talkError
	var e *sdk.Error
	if errors.As(err, &refused) && errors.As(before, &e) {
		return &sdk.Error{Kind: e.Kind, Op: e.Op, Msg: e.Msg + " (it could not be put there: " + refused.Error() + ")"}
	}
	if err != nil {
		return err
	}
	r.agent, r.deployed = quote(at), true
	_, err = f.meet(ctx, r, l)
	return err
}

// refused closes the connection and returns the error of an open that failed
// over there, with what the far driver has to say about its address.
func (f *far) refused(ctx context.Context, err error) error {
	defer f.close()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind == sdk.KindGone || e.Kind == sdk.KindBusy {
		return err
	}
	for _, d := range f.driver.Check(ctx, f.request) {
		if !d.Warning {
			return &sdk.Error{Kind: e.Kind, Op: "open on " + f.hop.alias, Msg: d.Summary + " (" + strings.TrimSuffix(d.Detail, ".") + ")"}
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
