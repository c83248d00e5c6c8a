package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
)

// newLogger makes the program's logger as the host block, or --json, says.
func newLogger(w io.Writer, host config.Host, asJSON bool) *slog.Logger {
	level := slog.LevelInfo
	if host.LogLevel != "" {
		// The configuration has been checked; an unknown name leaves info.
		_ = level.UnmarshalText([]byte(host.LogLevel))
	}
	opts := &slog.HandlerOptions{Level: level}
	if asJSON || host.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(cleanHandler{slog.NewTextHandler(w, opts)})
}

// cleanHandler neutralizes control characters in what goes to a terminal: names
// of files come from strangers. slog quotes them in attributes already, not in
// the message.
type cleanHandler struct{ slog.Handler }

func (h cleanHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Message = diag.Clean(r.Message)
	return h.Handler.Handle(ctx, r)
}

func (h cleanHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return cleanHandler{h.Handler.WithAttrs(attrs)}
}

func (h cleanHandler) WithGroup(name string) slog.Handler {
	return cleanHandler{h.Handler.WithGroup(name)}
}
