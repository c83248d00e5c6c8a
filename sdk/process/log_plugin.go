package process

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// goPluginTime is how go-plugin wants the time of a log line, exactly.
const goPluginTime = "2006-01-02T15:04:05.000000Z07:00"

// newPluginLogger returns the logger of a plugin. Its lines are what go-plugin
// parses into message, level and attributes; any other line would reach the
// host as text without a level.
func newPluginLogger(w io.Writer) *slog.Logger {
	var level slog.Level
	// Unset or unreadable: the zero level, which is Info.
	_ = level.UnmarshalText([]byte(os.Getenv(envLevel)))
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: goPluginKeys}))
}

func goPluginKeys(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		// JSON would make a number of it, whose unit nobody knows.
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		if t, ok := a.Value.Any().(time.Time); ok {
			return slog.String("@timestamp", t.Format(goPluginTime))
		}
	case slog.MessageKey:
		a.Key = "@message"
	case slog.LevelKey:
		if l, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("@level", levelName(l))
		}
	}
	return a
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "trace"
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}

// hostLevel is the lowest level at which log writes anything, as text for
// envLevel.
func hostLevel(log *slog.Logger) string {
	for _, l := range []slog.Level{levelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if log.Enabled(context.Background(), l) {
			return strings.ToLower(l.String())
		}
	}
	return "error"
}
