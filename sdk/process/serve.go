package process

import (
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
)

// closeGrace is how long a plugin may take to close its resources after the
// host has gone.
const closeGrace = time.Second

// ServeDriver makes this process a plugin that serves the driver that build
// returns. It returns when the host ends the plugin; a plugin's main does
// nothing after it. Started by a person instead of a host, it explains itself
// and exits with status 1.
//
// The logger given to build is the one whose lines reach the host with their
// level and attributes. Standard output belongs to the handshake.
//
// SIGINT, SIGTERM and SIGHUP have no effect: a signal to all processes of a
// terminal or a service must not take the plugins from a host that still needs
// them for its orderly end. Processes that the plugin starts get the default
// effects.
func ServeDriver(build func(*slog.Logger) sdk.Driver) {
	_ = TryServeDriver(func(log *slog.Logger) (sdk.Driver, error) { return build(log), nil }) // never fails
}

// TryServeDriver is ServeDriver for a driver that may turn out to be none. An error
// of build is returned before anything is served; main writes it to standard error,
// from where the host has it.
func TryServeDriver(build func(*slog.Logger) (sdk.Driver, error)) error {
	return serve(func(log *slog.Logger) (func(*grpc.Server), error) {
		d, err := build(log)
		return func(s *grpc.Server) {
			rpcpb.RegisterDriverServer(s, &driverServer{driver: d})
			rpcpb.RegisterResourceServer(s, &resourceServer{})
		}, err
	})
}

// ServeTransfer is ServeDriver for a transfer method.
func ServeTransfer(build func(*slog.Logger) sdk.Transfer) {
	_ = serve(func(log *slog.Logger) (func(*grpc.Server), error) { // never fails
		t := build(log)
		return func(s *grpc.Server) {
			rpcpb.RegisterTransferServer(s, &transferServer{transfer: t})
		}, nil
	})
}

func serve(build func(*slog.Logger) (func(*grpc.Server), error)) error {
	// Before go-plugin takes over os.Stderr: only what is written to the
	// original one is read as log lines by the host.
	log := newPluginLogger(os.Stderr)
	outliveSignals()
	var register func(*grpc.Server)
	if os.Getenv(Handshake().MagicCookieKey) == Handshake().MagicCookieValue {
		var err error
		if register, err = build(log); err != nil {
			return err
		}
	}
	var ending sync.WaitGroup
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: versions(register),
		Logger:           newGoPluginLogger(log, ""),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, serverOptions(connWatcher{ending: &ending})...)...)
		},
	})
	if !closedInTime(&ending) {
		log.Warn("resources not closed in time")
	}
	return nil
}

// outliveSignals catches signals instead of ignoring them, since an ignored one
// stays ignored in every program that the plugin starts.
func outliveSignals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for range c {
		}
	}()
}
