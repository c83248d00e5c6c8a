package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const attrSuffixes = "suffixes"

// only is the driver. The work with directories is left to the file driver.
type only struct{ file sdk.Driver }

var _ sdk.Driver = (*only)(nil)

func newOnly(log *slog.Logger) sdk.Driver { return &only{file: file.New(log)} }

// Describe implements [sdk.Driver].
func (*only) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name:    "only",
		Version: "1.0.0",
		Schemes: []string{"only"},
		Roles:   []sdk.Role{sdk.Primary},
		Schema: schema.Schema{
			{Name: attrSuffixes, Type: schema.Strings, Doc: "Ends of the names of files that are shown; all by default."},
		},
	}
}

// Check implements [sdk.Driver].
func (o *only) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	var out []schema.Diagnostic
	for _, s := range req.Config.Strings(attrSuffixes) {
		if s == "" || strings.Contains(s, "/") {
			out = append(out, schema.Diagnostic{
				Attribute: attrSuffixes,
				Summary:   "no name of a file ends like this",
				Detail:    `Write suffixes like ".jpg".`,
			})
			break
		}
	}
	return append(out, o.file.Check(ctx, asFile(req))...)
}

// OpenSource implements [sdk.Driver].
func (o *only) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	s, err := o.file.OpenSource(ctx, asFile(req))
	if err != nil {
		return nil, err
	}
	return &source{Source: s, suffixes: req.Config.Strings(attrSuffixes)}, nil
}

// OpenTarget implements [sdk.Driver]. The host does not call it, since
// Describe names one role.
func (*only) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open target"}
}

// asFile makes a request to the file driver of one to this driver.
func asFile(req sdk.OpenRequest) sdk.OpenRequest {
	req.Address.Scheme = "file"
	req.Config = nil
	return req
}

// source is a file source that shows less.
type source struct {
	sdk.Source
	suffixes []string
}

var _ sdk.Source = (*source)(nil)

// Scan implements [sdk.Resource].
func (s *source) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	if len(s.suffixes) > 0 {
		sink = &filter{ScanSink: sink, suffixes: s.suffixes}
	}
	return s.Source.Scan(ctx, req, sink)
}

// filter passes on directories, and files that end in one of the suffixes.
type filter struct {
	sdk.ScanSink
	suffixes []string
}

// Entry implements [sdk.ScanSink].
func (f *filter) Entry(e *sdk.Entry) error {
	shown := func(suffix string) bool { return strings.HasSuffix(e.Name, suffix) }
	if e.Type == sdk.TypeDir || e.Err != nil || slices.ContainsFunc(f.suffixes, shown) {
		return f.ScanSink.Entry(e)
	}
	return nil
}
