package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// TestSSHDriver takes the conformance suite all the way: the ssh driver as a
// plugin process, a real sshd, the far agent, and the file driver in it.
func TestSSHDriver(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	check(t, os.Mkdir(pl.s, 0o755))
	drivertest.Run(t, drivertest.Config{
		Remote: true,
		Launch: func(in drivertest.T) sdk.Driver { return launchSSH(in, pl, t.Output()) },
		NewTree: func(t drivertest.T) drivertest.Tree {
			dir := t.TempDir() + "/tree"
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			return drivertest.Tree{Address: sdk.Address{Scheme: "ssh", Rest: "far:file://" + dir}, Dir: dir}
		},
	})
	s.gone()
}

// launchSSH starts the ssh driver as a plugin with the place's environment.
func launchSSH(t drivertest.T, pl *place, log io.Writer) sdk.Driver {
	t.Helper()
	p, err := process.Launch(t.Context(), process.Command{
		Path: selfExec, Args: []string{"plugin", "ssh"}, Env: pl.environ, SocketDir: pl.tmp,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.Stop(ctx)
	})
	d, err := p.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
