package process

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk/internal/handout"
)

// Command says what to start and how.
type Command struct {
	Path string   // the executable
	Args []string // without the program's own name
	// Env is the plugin's whole environment, as "NAME=value". Nothing of the
	// host's environment is added.
	Env []string
	// SHA256 is the checksum that the executable must have; nil: not checked.
	// The file is checked and then executed by its path, so who may replace it
	// must be trusted.
	SHA256 []byte
	// MTLS makes both sides prove who they are with certificates made for this
	// process. It costs some 15 ms.
	MTLS bool
	// SocketDir is where the directory of the plugin's socket is made. It should
	// be private to the user, and short: a socket's path has 107 bytes at most.
	// "" means the directory for temporary files.
	SocketDir string
	// StartTimeout bounds the time to the first answer. 0 means 10 seconds.
	StartTimeout time.Duration
	Timeouts     Timeouts
	// Handout is for the plugin alone: it is in no argument, no variable and no
	// file. The plugin gets it from Handout. Nil: there is none.
	Handout []byte
	// Logger takes the plugin's log lines; nil: they are dropped.
	Logger *slog.Logger
}

// Handout returns what the host handed out to this plugin, nil if nothing.
func Handout() ([]byte, error) { return handout.Read() }

// Launch starts a plugin. When ctx ends before the plugin is ready, it is
// killed; later ctx does not matter. The caller calls Stop or Kill in the end,
// also after the plugin has ended by itself.
func Launch(ctx context.Context, c Command) (*Process, error) {
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 10 * time.Second
	}
	if err := verify(c.Path, c.SHA256); err != nil {
		return nil, err
	}
	p := &Process{timeouts: c.Timeouts, log: log, released: make(chan struct{})}
	p.runner = &processRunner{said: &tail{}, done: make(chan struct{})}
	if c.Handout != nil {
		f, err := handout.Make(c.Handout)
		if err != nil {
			return nil, &StartError{Path: c.Path, text: err.Error(), cause: err}
		}
		defer f.Close()
		p.runner.files = []*os.File{f}
	}
	p.client = goplugin.NewClient(p.config(c))

	ctx, cancel := context.WithTimeoutCause(ctx, c.StartTimeout, fmt.Errorf("no answer within %s", c.StartTimeout))
	defer cancel()
	// go-plugin's start knows no context and holds its lock throughout, so the
	// way to end it early is to kill the process under it.
	stop := context.AfterFunc(ctx, p.runner.kill)
	conn, err := p.connect()
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		p.runner.kill()
		p.client.Kill()
		_ = os.RemoveAll(p.runner.dir)
		return nil, p.startError(c.Path, err)
	}
	p.conn = conn
	go p.reap()
	return p, nil
}

func (p *Process) config(c Command) *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: versions(nil),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         c.MTLS,
		SkipHostEnv:      true,
		// Longer than our own limit, which gives the better message.
		StartTimeout:     c.StartTimeout + time.Second,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: c.SocketDir},
		GRPCDialOptions:  dialOptions(),
		Logger:           newGoPluginLogger(p.log, filepath.Base(c.Path)),
		Stderr:           p.runner.said,
		SyncStdout:       &lineLogger{log: p.log, level: slog.LevelDebug},
		SyncStderr:       &lineLogger{log: p.log, level: slog.LevelWarn},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
			cmd := exec.Command(c.Path, c.Args...)
			// Ours comes first: of two settings the last one counts.
			cmd.Env = append(append([]string{}, c.Env...), spec.Env...)
			cmd.Env = append(cmd.Env, envLevel+"="+hostLevel(p.log))
			if cmd.ExtraFiles = p.runner.files; len(cmd.ExtraFiles) > 0 {
				cmd.Env = append(cmd.Env, handout.Variable+"=3") // behind the standard ones
			}
			p.runner.cmd, p.runner.dir = cmd, dir
			return p.runner, nil
		},
	}
}

func (p *Process) connect() (*grpc.ClientConn, error) {
	protocol, err := p.client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(pluginKey)
	if err != nil {
		return nil, err
	}
	conn, ok := raw.(*grpc.ClientConn)
	if !ok {
		return nil, fmt.Errorf("connection is a %T", raw)
	}
	// The handshake was a line of text; this is the first real answer.
	return conn, protocol.Ping()
}

// startError puts what is known about a start that did not work into one line.
func (p *Process) startError(path string, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	said := p.runner.said.String()
	if said != "" {
		text += "; it said: " + said
	}
	return &StartError{Path: path, Said: said, text: text, cause: err}
}

// StartError says that a plugin could not be started. It is no *sdk.Error: no
// call was made.
type StartError struct {
	Path  string
	Said  string // what it wrote to its standard error, in one line
	text  string
	cause error
}

// Error implements error.
func (e *StartError) Error() string { return fmt.Sprintf("start plugin %s: %s", e.Path, e.text) }

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.cause }

// verify compares an executable with its checksum.
func verify(path string, sum []byte) error {
	if sum == nil {
		return nil
	}
	if len(sum) != sha256.Size {
		return &StartError{Path: path, text: fmt.Sprintf("a SHA-256 checksum has %d bytes, not %d", sha256.Size, len(sum))}
	}
	is, err := sumFile(path)
	if err == nil && !bytes.Equal(is, sum) {
		err = fmt.Errorf("its SHA-256 checksum is %x, not %x", is, sum)
	}
	if err != nil {
		return &StartError{Path: path, text: err.Error(), cause: err}
	}
	return nil
}

func sumFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
