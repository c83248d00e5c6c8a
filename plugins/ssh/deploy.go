package ssh

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

//go:embed deploy.sh
var deployScript string

const (
	// maxTalk is the most that the script, and the far shell before it, may say.
	maxTalk = 128 << 10
	// deployChunk is little enough that even on a slow line one gets through
	// before the line is taken for stuck.
	deployChunk = 16 << 10
)

// deployment is one attempt to put the program on another machine.
type deployment struct {
	*payload
	digest digest
	mark   string // begins each of the script's lines, and nothing else there
	beat   func() // called whenever there is progress; concurrently
}

// newDeployment reads what there is to know about the program.
func (p *payload) newDeployment() (*deployment, error) {
	d, err := p.digest()
	if err != nil {
		return nil, fmt.Errorf("read this program: %w", err)
	}
	return &deployment{payload: p, digest: d, mark: "gsyncd-host-" + rand.Text(), beat: func() {}}, nil
}

// deploy makes sure that the program is on the other machine, and returns its
// path there. It gives up, and calls abandon, when there is no progress for a
// while, however long the whole takes.
func (p *payload) deploy(ctx context.Context, client *ssh.Client, h *hop, l *link, abandon func(), log *slog.Logger) (string, error) {
	op := "put gsyncd-host on " + h.alias
	d, err := p.newDeployment()
	if err != nil {
		return "", &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: err.Error()}
	}
	session, err := openSession(ctx, client)
	if err != nil {
		return "", &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: err.Error()}
	}
	defer session.Close()
	said := &saying{log: slog.New(slog.DiscardHandler)}
	session.Stderr = said
	in, err := session.StdinPipe()
	if err != nil {
		return "", &sdk.Error{Kind: sdk.KindFatal, Op: op, Msg: err.Error()}
	}
	out, err := session.StdoutPipe()
	if err == nil {
		err = session.Start(d.command())
	}
	if err != nil {
		return "", &sdk.Error{Kind: sdk.KindPermission, Op: op, Msg: "the server does not run the command: " + err.Error()}
	}
	limit := max(h.timeout, h.keepalive)
	var stuck atomic.Bool
	timer := time.AfterFunc(h.timeout, func() { // the first answer takes no work
		stuck.Store(true)
		abandon()
	})
	defer timer.Stop()
	d.beat = func() { timer.Reset(limit) }
	defer context.AfterFunc(ctx, abandon)()
	at, sent, err := d.talk(in, out)
	switch {
	case err == nil:
		awaitEnd(session)
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s: %w", op, ctx.Err())
	case stuck.Load():
		return "", &sdk.Error{Kind: sdk.KindTransient, Op: op, Msg: fmt.Sprintf("nothing went on for %s: is the line up, may this key run any command there, and what does the login's shell wait for?", waited(err, h.timeout, limit))}
	case l.reason() != "":
		return "", &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: l.reason()}
	default:
		return "", d.explain(op, said.last(), err)
	}
	if sent {
		log.Info(fmt.Sprintf("gsyncd-host was put on %s at %s (%d MB)", h.alias, at, (d.digest.size+500_000)/1_000_000))
	}
	return at, nil
}

// waited is how long nothing went on: at first only for the answer.
func waited(err error, first, then time.Duration) time.Duration {
	var talk *talkError
	if errors.As(err, &talk) && !talk.heard {
		return first
	}
	return then
}

// openSession opens a session. A server that allows one at a time may still be
// about to notice that the last one has ended.
func openSession(ctx context.Context, client *ssh.Client) (*ssh.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, exitGrace)
	defer cancel()
	tick := time.NewTicker(exitGrace / 20)
	defer tick.Stop()
	for {
		session, err := client.NewSession()
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) {
			return session, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// awaitEnd gives a session that has done its work a moment to end.
func awaitEnd(session *ssh.Session) {
	ended := make(chan struct{})
	go func() {
		_ = session.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(exitGrace):
	}
}

// command starts the script in any login shell, csh and fish too: they would
// trip over the script itself, so it comes as the first of the input. Only dd
// is sure to read no byte too many.
func (d *deployment) command() string {
	return fmt.Sprintf(`exec sh -c 's=$(dd bs=1 count=%d 2>/dev/null);eval "$s"'`, len(d.script()))
}

// script is what runs over there, with this attempt's values before it. It does
// not hold the mark with a blank behind, so it is no answer if it comes back.
func (d *deployment) script() string {
	return fmt.Sprintf("v=%s n=%d h=%s m=%s\n%s", d.dir(d.digest), d.digest.size, d.digest.sum, d.mark, deployScript)
}

// talk gives the script to the far shell, and the program to the script if that
// asks for it. It returns the program's path there, and whether it was sent. in
// is perhaps still written to until its reader is gone.
func (d *deployment) talk(in io.WriteCloser, out io.Reader) (at string, sent bool, err error) {
	// Why it cannot be written is told by what comes back.
	_, _ = io.WriteString(in, d.script())
	r := bufio.NewReader(io.LimitReader(out, maxTalk))
	heard := false
	for {
		word, rest, err := d.line(r)
		if err != nil {
			return "", sent, &talkError{heard: heard, err: err}
		}
		heard = true
		d.beat()
		switch word {
		case "machine":
			system, processor, _ := strings.Cut(rest, " ")
			if !d.runsOn(system, processor) {
				return "", sent, &machineError{system: system, processor: processor}
			}
		case "want":
			sent = true
			go d.send(in)
		case "have", "put":
			if !path.IsAbs(rest) || path.Base(rest) != defaultAgent {
				return "", sent, fmt.Errorf("%q is no path of a program", rest)
			}
			return rest, sent, nil
		case "fail":
			code, text, _ := strings.Cut(rest, " ")
			return "", sent, &scriptError{code: code, text: strings.TrimSpace(text)}
		}
	}
}

// line reads up to the next line of the script's own and splits off its first
// word.
func (d *deployment) line(r *bufio.Reader) (word, rest string, err error) {
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		// What is printed without a newline at its end stands in front.
		if i := strings.LastIndex(text, d.mark+" "); i >= 0 {
			word, rest, _ = strings.Cut(strings.TrimRight(text[i+len(d.mark)+1:], "\r\n"), " ")
			return word, rest, nil
		}
	}
}

// send sends the program. What goes wrong is seen by the script, which checks
// what it has when the input ends.
func (d *deployment) send(in io.WriteCloser) {
	defer in.Close()
	f, err := os.Open(d.path)
	if err != nil {
		return
	}
	defer f.Close()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return
	}
	chunk := make([]byte, deployChunk)
	for {
		n, err := f.Read(chunk)
		if n > 0 {
			if _, err := in.Write(chunk[:n]); err != nil {
				return
			}
			d.beat()
		}
		if err != nil {
			return // the end, most likely
		}
	}
}

// lacking reports whether an agent did not greet because there is no matching
// program over there: none at all, or one that speaks another version of the
// protocol, or does not know the options of its command line.
func (a *agentProcess) lacking(err error) bool {
	var version *process.VersionError
	if errors.As(err, &version) {
		return true
	}
	if !errors.Is(err, io.EOF) {
		return false
	}
	a.await()
	var exit *ssh.ExitError
	if !errors.As(a.exit(), &exit) {
		return false
	}
	switch exit.ExitStatus() {
	case exitUsage, exitNotExecutable, exitNotFound:
		return true
	}
	return false
}
