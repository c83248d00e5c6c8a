// Command gsyncd-host keeps secondary trees equal to primary ones.
package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/host/cli"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/plugins/ssh"
	"github.com/gsyncd/gsyncd-host/sdk"
)

func main() { os.Exit(run()) }

// run is where the program meets the world; everything below takes it as values.
func run() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup makes it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// By this name it is the file that runs, also after an upgrade.
	itself := ssh.Program{Path: "/proc/self/exe", Version: version()}
	env := cli.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Getwd: os.Getwd, Executable: os.Executable, Now: time.Now, Root: os.Geteuid() == 0,
		Pipe:        pipe,
		RemoteShell: ssh.RemoteShell,
		Ask:         cli.TerminalAsk(os.Stdin, os.Stderr),
		Version:     version(),
		Host:        resolve,
		Plugins: &plugin.Registry{
			Drivers:   map[string]func(*slog.Logger) sdk.Driver{"file": file.New, "gluster": gluster.New, "ssh": ssh.New(itself)},
			Transfers: map[string]func(*slog.Logger) sdk.Transfer{"rsync": rsync.New},
			Env:       map[string][]string{"ssh": {"SSH_AUTH_SOCK"}},
		},
	}
	if u, err := user.Current(); err == nil {
		env.User = u.Username
	}
	if width, height, err := term.GetSize(int(os.Stderr.Fd())); err == nil && os.Getenv("TERM") != "dumb" {
		env.Width, env.Height = width, height
	}
	return cli.Run(ctx, env)
}

// pipe makes a stream of standard input and output, whose other end may hang up:
// that is no reason to end.
func pipe() (io.ReadWriteCloser, error) {
	signal.Ignore(syscall.SIGHUP) // takes it from the context
	// Caught, not ignored: programs that are started would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGPIPE)
	return agent.Stdio(os.Stdin, os.Stdout)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// resolve gives a host's address, of several always the same one.
func resolve(host string) (string, error) {
	addrs, err := net.LookupHost(host)
	if err != nil {
		return "", err
	}
	return slices.Min(addrs), nil
}
