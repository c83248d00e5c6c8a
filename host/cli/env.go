package cli

import (
	"context"
	"io"
	"time"

	"github.com/gsyncd/gsyncd-host/host/plugin"
)

// Env is all that the program takes from outside. Tests fill it with buffers.
type Env struct {
	Args   []string  // without the program's name
	Stdin  io.Reader // for programs that it becomes
	Stdout io.Writer
	Stderr io.Writer
	// Pipe gives standard input and output as one stream, for an agent.
	Pipe func() (io.ReadWriteCloser, error)
	// RemoteShell runs what rsync wants of the ssh driver behind a socket.
	RemoteShell func(ctx context.Context, socket string, args []string, stdin io.Reader, stdout, stderr io.Writer) int
	// Ask asks the person at the terminal for a secret. nil: nobody is there.
	Ask     func(ctx context.Context, prompt string) (string, error)
	Environ []string // "NAME=value"
	Getwd   func() (string, error)
	Now     func() time.Time
	Root    bool   // running as root
	User    string // who runs it, for canonical ssh URLs
	Width   int    // of the terminal that Stderr is; 0: it is none
	Height  int    // of the same
	Version string
	Plugins *plugin.Registry                  // the built-in plugins
	Host    func(name string) (string, error) // resolves a host to an address
}

// Exit codes, part of the interface.
const (
	exitDone     = 0
	exitFailure  = 1
	exitUsage    = 2
	exitProblems = 3
	exitLocked   = 4
)

// lookup finds an environment variable.
func (e *Env) lookup(name string) (string, bool) {
	for _, kv := range e.Environ {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:], true
		}
	}
	return "", false
}

func (e *Env) getenv(name string) string {
	v, _ := e.lookup(name)
	return v
}
