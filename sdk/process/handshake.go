package process

import (
	"context"
	"errors"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Version is the version of the protocol that this package speaks. Two sides
// without a version in common do not start to talk. Raise it when a side of the
// last version would misunderstand what this one says: when a method, or a field
// that is there already, means something else, or a new one must not be left out.
// A field or method that the other side may leave unread needs no new version.
const Version = 2

const (
	// pluginKey names the one plugin of each process in go-plugin's sets.
	pluginKey = "gsyncd"
	// maxMessage is the longest message. The largest that is sent on purpose
	// is a row of wire.MaxRow; the rest is room for what surrounds it.
	maxMessage = 8 << 20
	// maxCalls is how many calls one connection may have under way; more wait.
	maxCalls = 256
	// envLevel tells a plugin which log lines its host will drop anyway.
	envLevel = "GSYNCD_HOST_PLUGIN_LOG"
)

// Handshake tells a plugin of this program from any other program. It is no
// secret and protects nothing.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion:  Version,
		MagicCookieKey:   "GSYNCD_HOST_PLUGIN",
		MagicCookieValue: "b4a5d1c39e0f4c7f8a52",
	}
}

// endpoint is go-plugin's view of one side: a plugin registers services, the
// other side wants the bare connection.
type endpoint struct {
	goplugin.NetRPCUnsupportedPlugin
	register func(*grpc.Server)
}

var _ goplugin.GRPCPlugin = (*endpoint)(nil)

// GRPCServer implements [goplugin.GRPCPlugin].
func (e *endpoint) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	if e.register == nil {
		return errors.New("nothing to serve")
	}
	e.register(s)
	return nil
}

// GRPCClient implements [goplugin.GRPCPlugin].
func (e *endpoint) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

func versions(register func(*grpc.Server)) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{Version: {pluginKey: &endpoint{register: register}}}
}

// The stream window is a few chunks: enough to keep a stream busy, little
// enough that a slow reader soon stops the writer. Fixed sizes also turn off
// the pings by which gRPC would otherwise estimate them.
const (
	streamWindow = 2 << 20
	connWindow   = 8 << 20
)

// pingEvery and pingTimeout find a process that is stopped or swamped, which
// holds its connection open without a word.
const (
	pingEvery   = 10 * time.Second
	pingTimeout = 20 * time.Second
)

func dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage), withCodec()),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithDisableRetry(),
		// A connection given up for being idle would close all resources.
		grpc.WithIdleTimeout(0),
	}
}

func serverOptions(watch connWatcher) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery / 2, PermitWithoutStream: true}),
		grpc.StatsHandler(watch),
	}
}
