package process

import (
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// levelTrace is hclog's level below Debug.
const levelTrace = slog.LevelDebug - 4

// goPluginLogger lets go-plugin log into a slog.Logger. What go-plugin says of
// its own work is of no interest and goes to Debug; the lines of the plugin,
// which it logs under the name of the executable, keep their level.
type goPluginLogger struct {
	log    *slog.Logger
	name   string
	plugin string // the name under which the plugin's lines come
	args   []any
}

var _ hclog.Logger = (*goPluginLogger)(nil)

func newGoPluginLogger(log *slog.Logger, plugin string) *goPluginLogger {
	return &goPluginLogger{log: log, plugin: plugin}
}

func (g *goPluginLogger) fromPlugin() bool { return g.plugin != "" && g.name == g.plugin }

// Log implements [hclog.Logger].
func (g *goPluginLogger) Log(level hclog.Level, msg string, args ...any) {
	l := slog.LevelDebug
	if g.fromPlugin() {
		switch level {
		case hclog.Trace:
			l = levelTrace
		case hclog.Info:
			l = slog.LevelInfo
		case hclog.Warn:
			l = slog.LevelWarn
		case hclog.Error:
			l = slog.LevelError
		}
		args = dropTimestamp(args)
	}
	if g.log.Enabled(context.Background(), l) {
		g.log.With(g.args...).Log(context.Background(), l, msg, args...)
	}
}

// dropTimestamp takes the plugin's own time out: the host's record has one.
func dropTimestamp(args []any) []any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "timestamp" {
			return append(args[:i:i], args[i+2:]...)
		}
	}
	return args
}

// Trace implements [hclog.Logger].
func (g *goPluginLogger) Trace(msg string, args ...any) { g.Log(hclog.Trace, msg, args...) }

// Debug implements [hclog.Logger].
func (g *goPluginLogger) Debug(msg string, args ...any) { g.Log(hclog.Debug, msg, args...) }

// Info implements [hclog.Logger].
func (g *goPluginLogger) Info(msg string, args ...any) { g.Log(hclog.Info, msg, args...) }

// Warn implements [hclog.Logger].
func (g *goPluginLogger) Warn(msg string, args ...any) { g.Log(hclog.Warn, msg, args...) }

// Error implements [hclog.Logger].
func (g *goPluginLogger) Error(msg string, args ...any) { g.Log(hclog.Error, msg, args...) }

// IsTrace implements [hclog.Logger].
func (g *goPluginLogger) IsTrace() bool { return g.log.Enabled(context.Background(), levelTrace) }

// IsDebug implements [hclog.Logger].
func (g *goPluginLogger) IsDebug() bool { return g.log.Enabled(context.Background(), slog.LevelDebug) }

// IsInfo implements [hclog.Logger].
func (g *goPluginLogger) IsInfo() bool { return g.log.Enabled(context.Background(), slog.LevelInfo) }

// IsWarn implements [hclog.Logger].
func (g *goPluginLogger) IsWarn() bool { return g.log.Enabled(context.Background(), slog.LevelWarn) }

// IsError implements [hclog.Logger].
func (g *goPluginLogger) IsError() bool { return g.log.Enabled(context.Background(), slog.LevelError) }

// GetLevel implements [hclog.Logger].
func (g *goPluginLogger) GetLevel() hclog.Level {
	switch {
	case g.IsTrace():
		return hclog.Trace
	case g.IsDebug():
		return hclog.Debug
	case g.IsInfo():
		return hclog.Info
	case g.IsWarn():
		return hclog.Warn
	}
	return hclog.Error
}

// SetLevel implements [hclog.Logger]; the level is the slog.Logger's.
func (g *goPluginLogger) SetLevel(hclog.Level) {}

// Name implements [hclog.Logger].
func (g *goPluginLogger) Name() string { return g.name }

// Named implements [hclog.Logger].
func (g *goPluginLogger) Named(name string) hclog.Logger { return g.ResetNamed(name) }

// ResetNamed implements [hclog.Logger].
func (g *goPluginLogger) ResetNamed(name string) hclog.Logger {
	out := *g
	out.name = name
	return &out
}

// With implements [hclog.Logger].
func (g *goPluginLogger) With(args ...any) hclog.Logger {
	out := *g
	out.args = append(g.args[:len(g.args):len(g.args)], args...)
	return &out
}

// ImpliedArgs implements [hclog.Logger].
func (g *goPluginLogger) ImpliedArgs() []any { return g.args }

// StandardLogger implements [hclog.Logger].
func (g *goPluginLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
}

// StandardWriter implements [hclog.Logger].
func (g *goPluginLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return &lineLogger{log: g.log, level: slog.LevelDebug}
}
