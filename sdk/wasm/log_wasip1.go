package wasm

import (
	"context"
	"encoding/binary"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// logHandler sends records to the runner, whose log they are in.
type logHandler struct {
	attrs  []wire.Field
	prefix string // of keys, from groups
}

var _ slog.Handler = (*logHandler)(nil)

// Enabled implements [slog.Handler]. What is wanted the host decides.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	fields := append([]wire.Field{}, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(fields, h.prefix, a)
		return true
	})
	b := binary.LittleEndian.AppendUint32(nil, uint32(int32(r.Level)))
	b, err := wire.AppendLog(b, r.Message, fields)
	if err != nil {
		return err
	}
	return Host().Call(ctx, Log, b, nil)
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := &logHandler{attrs: append([]wire.Field{}, h.attrs...), prefix: h.prefix}
	for _, a := range attrs {
		out.attrs = appendAttr(out.attrs, h.prefix, a)
	}
	return out
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{attrs: h.attrs, prefix: h.prefix + name + "."}
}

func appendAttr(fields []wire.Field, prefix string, a slog.Attr) []wire.Field {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, m := range v.Group() {
			fields = appendAttr(fields, prefix, m)
		}
		return fields
	}
	return append(fields, wire.Field{Name: prefix + a.Key, Value: v.String()})
}
