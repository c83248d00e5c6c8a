package rsync

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Method is the transfer method "rsync". It keeps no state between jobs, so
// any number of them may run at a time.
type Method struct {
	log *slog.Logger
}

var _ sdk.Transfer = (*Method)(nil)

// New returns the method. What rsync says on the side goes to log; nil drops it.
func New(log *slog.Logger) sdk.Transfer {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Method{log: log}
}

// Describe says what the method is.
func (*Method) Describe() sdk.TransferDescriptor {
	return sdk.TransferDescriptor{Name: "rsync", Version: "1", Remote: true, Delta: true, Schema: settings()}
}

// Check looks for the program and at the options.
func (m *Method) Check(ctx context.Context, cfg schema.Values) []schema.Diagnostic {
	cfg, err := settings().WithDefaults(cfg)
	if err != nil {
		return []schema.Diagnostic{{Summary: err.Error()}}
	}
	diags := checkOptions(cfg.Strings(attrOptions))
	if d := cfg.Duration(attrTimeout); d <= 0 {
		diags = append(diags, schema.Diagnostic{
			Attribute: attrTimeout,
			Summary:   fmt.Sprintf("a timeout of %s ends every run at once", d),
			Detail:    `Give the time after which an rsync that moves no byte is stopped, such as "60s".`,
		})
	}
	return append(diags, checkProgram(ctx, cfg.String(attrProgram))...)
}
