package ssh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// connect logs in to one hop after the other and returns the clients, the last
// one first. The link is the last one's connection.
func connect(ctx context.Context, hops []*hop, log *slog.Logger) (clients []*ssh.Client, l *link, err error) {
	defer func() {
		if err != nil {
			closeAll(clients)
		}
	}()
	for i, h := range hops {
		dial := (&net.Dialer{}).DialContext
		if i > 0 {
			dial = clients[0].DialContext
		}
		before := clients
		client, at, err := login(ctx, h, dial, func() { closeAll(before) }, log)
		if err != nil {
			return clients, nil, err
		}
		clients, l = append([]*ssh.Client{client}, clients...), at
	}
	return clients, l, nil
}

func closeAll(clients []*ssh.Client) {
	for _, c := range clients {
		_ = c.Close()
	}
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// login connects to a hop within its timeout, after which abandon ends what the
// way to it goes through.
func login(ctx context.Context, h *hop, dial dialFunc, abandon func(), log *slog.Logger) (*ssh.Client, *link, error) {
	timed, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	trust, err := newHostKeys(h)
	if err != nil {
		return nil, nil, err
	}
	keys := openKeys(h)
	defer keys.close()
	raw, err := dial(timed, "tcp", h.address())
	if err != nil {
		return nil, nil, dialError(ctx, timed, h, err)
	}
	l := newLink(raw)
	stop := context.AfterFunc(timed, func() {
		_ = l.Close()
		abandon()
	})
	conn, channels, requests, err := ssh.NewClientConn(l, h.nameInFile, &ssh.ClientConfig{
		User: h.user, Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(keys.show)},
		HostKeyCallback: trust.check, HostKeyAlgorithms: trust.algorithms(),
	})
	if !stop() && err == nil {
		err = timed.Err()
	}
	if err != nil {
		l.Close()
		return nil, nil, loginError(ctx, timed, h, trust, keys, err)
	}
	if trust.learned != "" {
		log.Info("the host's key was not known and has been added", "file", trust.learned)
	}
	return ssh.NewClient(conn, channels, requests), l, nil
}

// dialError names what is wrong with a connection that could not be made.
func dialError(ctx, timed context.Context, h *hop, err error) error {
	op := "connect to " + h.String()
	var name *net.DNSError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case timed.Err() != nil:
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("no answer within %s: is the machine up, and does a firewall let port %s through?", h.timeout, h.port)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("the connection was refused: is sshd running there, and on port %s?", h.port)}
	case errors.As(err, &name):
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("the host's name cannot be resolved (%s): is it spelt right?", name.Err)}
	}
	return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: err.Error()}
}

// loginError names what is wrong with a login that did not work.
func loginError(ctx, timed context.Context, h *hop, trust *hostKeys, keys *keyring, err error) error {
	op := "connect to " + h.String()
	switch {
	case trust.refusal != nil:
		return trust.refusal
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case timed.Err() != nil:
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("the ssh server did not finish the login within %s", h.timeout)}
	case !trust.shown && strings.Contains(err.Error(), "no common algorithm for host key"):
		return refuse(h, fmt.Sprintf("the host no longer has a key of the kinds %s by which it is known in %s; if it was set up anew, remove its lines there and add the new key", strings.Join(trust.algorithms(), ", "), trust.file()))
	case !trust.shown, !keys.asked && len(keys.signers) > 0 && !strings.Contains(err.Error(), "unable to authenticate"):
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: "the ssh server ended the connection: " + err.Error()}
	}
	return refuse(h, keys.refused(h, err))
}

// refused tells which keys were shown in vain.
func (k *keyring) refused(h *hop, err error) string {
	var shown []string
	for _, s := range k.signers {
		shown = append(shown, show(s.PublicKey()))
	}
	msg := "the server takes none of the keys " + strings.Join(shown, ", ")
	cure := fmt.Sprintf("add one to ~%s/.ssh/authorized_keys there (ssh-copy-id), or name the right one with identity_file", h.user)
	switch {
	case len(shown) == 0:
		msg, cure = "there is no key to log in with", "make one with ssh-keygen, name one with identity_file, or give one to the ssh agent with ssh-add"
	case strings.Contains(err.Error(), "Too many authentication failures"):
		cure = "it allows fewer tries than there are keys: name the right one with identity_file"
	}
	if len(k.notes) > 0 {
		msg += " (" + strings.Join(k.notes, "; ") + ")"
	}
	return msg + "; " + cure
}
