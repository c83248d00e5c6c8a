package beneath

import (
	"context"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// hiding is a source that does not show all of its files. It looks at each entry,
// where one that shows all passes them on as they come.
type hiding struct {
	sdk.Source
	suffixes []string
}

// Scan implements [sdk.Resource].
func (h *hiding) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	return h.Source.Scan(ctx, req, &filter{ScanSink: sink, suffixes: h.suffixes})
}

// filter passes on all but hidden files.
type filter struct {
	sdk.ScanSink
	suffixes []string
}

// Entry implements [sdk.ScanSink].
func (f *filter) Entry(e *sdk.Entry) error {
	hidden := func(suffix string) bool { return strings.HasSuffix(e.Name, suffix) }
	if e.Type != sdk.TypeDir && slices.ContainsFunc(f.suffixes, hidden) {
		return nil
	}
	return f.ScanSink.Entry(e)
}
