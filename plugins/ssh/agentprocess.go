package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// exitGrace is how long is waited for the far agent's end, or for news of it.
const exitGrace = 2 * time.Second

// agentProcess is the far agent, seen from here: its input and output as one
// stream.
type agentProcess struct {
	io.Reader
	stdin   io.WriteCloser
	session *ssh.Session
	hop     *hop
	link    *link
	route   *route
	command string // what the far shell calls it
	relay   bool   // it leads to another one
	said    *saying
	ended   chan struct{}
	err     error // once ended is closed
}

var _ io.ReadWriteCloser = (*agentProcess)(nil)

// startAgent starts an agent on the other machine.
func startAgent(ctx context.Context, client *ssh.Client, r *route, command string, l *link, log *slog.Logger) (*agentProcess, error) {
	h := r.last()
	session, err := openSession(ctx, client)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindTransient, Op: "open a session on " + h.String(), Msg: err.Error()}
	}
	a := &agentProcess{session: session, hop: h, link: l, route: r, command: r.agent, said: &saying{log: log, held: r.deployable()}, ended: make(chan struct{})}
	session.Stderr = a.said
	if a.stdin, err = session.StdinPipe(); err == nil {
		a.Reader, err = session.StdoutPipe()
	}
	if err == nil {
		err = session.Start(command)
	}
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindPermission, Op: "start " + r.agent + " on " + h.String(), Msg: "the server does not run the command: " + err.Error() + "; allow this key to run it there"}
	}
	go func() {
		a.err = session.Wait()
		close(a.ended)
	}()
	return a, nil
}

// commandLine is what the far shell gets. Only how gsyncd-host is called is for
// the shell to read; the rest is quoted.
func commandLine(r *route, silence time.Duration) string {
	words := []string{r.agent, "agent", "--silence", silence.String()}
	for _, o := range append(append([]string{}, r.options...), "--", r.inner) {
		words = append(words, quote(o))
	}
	return strings.Join(words, " ")
}

// rsyncCommand starts an rsync server that works in a job's directory of the
// agent's session.
func rsyncCommand(r *route, token, dir string, args []string) string {
	words := []string{r.agent, "agent", "--rsync", quote(token), "--dir", quote(dir), "--"}
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// quote makes one word of s for any shell of the Bourne kind.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Write implements [io.Writer].
func (a *agentProcess) Write(p []byte) (int, error) { return a.stdin.Write(p) }

// Close implements [io.Closer]. The end of its input ends the agent.
func (a *agentProcess) Close() error {
	err := a.stdin.Close()
	if errors.Is(err, io.EOF) {
		return nil // it had ended before
	}
	return err
}

// await waits for the agent's end, but not for long.
func (a *agentProcess) await() {
	select {
	case <-a.ended:
	case <-a.link.closed:
	case <-time.After(exitGrace):
	}
}

// why tells why the agent is gone.
func (a *agentProcess) why() string {
	if reason := a.link.reason(); reason != "" {
		return reason
	}
	// News of its end comes a moment after the end of its output.
	a.await()
	select {
	case <-a.ended:
	default:
		return a.link.reason()
	}
	out := "it ended"
	if a.err != nil {
		out = strings.TrimPrefix(a.err.Error(), "ssh: ")
	}
	if said := a.said.last(); said != "" {
		out += "; it said: " + said
	}
	return out
}

// The exit codes with which a shell says that there is no such program, and with
// which a gsyncd-host says that it does not understand its command line.
const (
	exitUsage         = 2
	exitNotExecutable = 126
	exitNotFound      = 127
)

// greetingError names what is wrong with an agent that did not greet.
func (a *agentProcess) greetingError(ctx context.Context, err error) error {
	op := "start " + a.command + " on " + a.hop.alias
	fatal := func(format string, args ...any) error {
		return &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: fmt.Sprintf(format, args...)}
	}
	var version *process.VersionError
	var greeting *process.GreetingError
	seen := ""
	if errors.As(err, &greeting) && greeting.Seen != "" {
		seen = fmt.Sprintf("; it printed %q", greeting.Seen)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case errors.As(err, &version):
		return fatal("%s%s", versionTrouble(version), a.route.offer)
	case errors.Is(err, context.DeadlineExceeded):
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("no greeting within %s%s; does the login's shell start other programs or wait for something?", a.hop.timeout, seen)}
	case !errors.Is(err, io.EOF):
		return fatal("what answers is no agent%s; the login's shell must print nothing when it runs a command: mend its start-up files there (.bashrc)", seen)
	}
	a.await()
	said := a.said.last()
	if said != "" {
		said = "; it said: " + said
	}
	var exit *ssh.ExitError
	trouble := ""
	if a.route.deployed && errors.As(a.exit(), &exit) {
		trouble = deployedTrouble(exit.ExitStatus(), said)
	}
	switch {
	case a.link.reason() != "":
		return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: a.link.reason()}
	case trouble != "":
		return fatal("%s%s", trouble, said)
	case errors.As(a.exit(), &exit) && exit.ExitStatus() == exitNotFound:
		return fatal("there is no %s%s; install gsyncd-host there, or say where it is with remote_agent%s", a.command, said, a.route.offer)
	case errors.As(a.exit(), &exit) && exit.ExitStatus() == exitNotExecutable:
		return fatal("%s cannot be executed%s; install gsyncd-host for that machine's architecture, or say where it is with remote_agent%s", a.command, said, a.route.offer)
	case errors.As(a.exit(), &exit) && exit.Signal() != "":
		return &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: "it was ended by signal " + exit.Signal() + said}
	case errors.As(a.exit(), &exit) && strings.Contains(said, "this key "):
		return fatal("%s", strings.TrimPrefix(said, "; it said: error: ")) // of a restricted key
	case errors.As(a.exit(), &exit) && exit.ExitStatus() == exitUsage && a.route.deployed:
		return fatal("it does not take the command line that it gets%s%s; is there a mistake in remote_options?", seen, said)
	case errors.As(a.exit(), &exit) && exit.ExitStatus() == exitUsage:
		return fatal("it ended with exit code 2%s%s; is the right program called, and as new as this one? Install the same version of gsyncd-host on both machines%s", seen, said, a.route.offer)
	case errors.As(a.exit(), &exit):
		return fatal("it ended with exit code %d%s%s; is the right program called, and as new as this one?", exit.ExitStatus(), seen, said)
	}
	return fatal("it ended without a greeting%s%s; may this key run commands there?", seen, said)
}

// exit is how the agent ended, nil if that is not known.
func (a *agentProcess) exit() error {
	select {
	case <-a.ended:
		return a.err
	default:
		return nil
	}
}
