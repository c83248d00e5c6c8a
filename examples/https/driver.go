package main

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	attrIndex    = "index"
	attrManifest = "manifest"
	attrPlain    = "plain"
	attrEntries  = "max_entries"
	attrPiece    = "piece"
)

// What index can be.
const (
	byAuto     = "auto"
	byManifest = "manifest"
	byListing  = "listing"
)

// driver opens trees on granted origins.
type driver struct {
	log *slog.Logger
	do  doer
}

var _ sdk.Driver = (*driver)(nil)

func newDriver(log *slog.Logger) sdk.Driver { return &driver{log: log, do: grant.Given()} }

// Describe implements [sdk.Driver].
func (*driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name:    "https",
		Version: "1.0.0",
		Schemes: []string{"https"},
		Roles:   []sdk.Role{sdk.Primary},
		Schema: schema.Schema{
			{Name: attrIndex, Type: schema.String, Default: byAuto, OneOf: []string{byAuto, byManifest, byListing}, Doc: "What tells of the tree: its manifest, or the server's listings of directories; auto takes the manifest if there is one."},
			{Name: attrManifest, Type: schema.String, Default: "MANIFEST.jsonl", Doc: "Name of the manifest in the root of the tree."},
			{Name: attrPlain, Type: schema.Bool, Default: false, Doc: "Use http instead of https; with servers of this machine only."},
			{Name: attrEntries, Type: schema.Count, Default: int64(1_000_000), Doc: "The most entries that a manifest or a listing may have."},
			{Name: attrPiece, Type: schema.Size, Default: int64(64) << 20, Doc: "Files larger than this are fetched in pieces of this size."},
		},
	}
}

// Check implements [sdk.Driver]. It does not go to the server.
func (*driver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	var out []schema.Diagnostic
	base, err := url.Parse("https://" + req.Address.Rest)
	switch {
	case err != nil || base.Hostname() == "":
		out = append(out, schema.Diagnostic{Summary: strconv.Quote(req.Address.String()) + " is no URL of a server", Detail: "Write https://host/path/; a character that is no letter may need its %XX."})
	case base.User != nil:
		out = append(out, schema.Diagnostic{Summary: "a user and a password in the URL are not sent", Detail: "Write them as a header of the plugin's http grant, where the driver does not see them."})
	case strings.ContainsAny(req.Address.Rest, "?#"):
		out = append(out, schema.Diagnostic{Summary: "the URL has a query or a fragment", Detail: "Name the directory that is the root of the tree. A ? or # in its name is written %3F or %23."})
	case req.Config.Bool(attrPlain) && !loopback(base.Hostname()):
		out = append(out, schema.Diagnostic{Attribute: attrPlain, Summary: "without https anybody on the way to " + base.Hostname() + " can change what arrives", Detail: "Leave it out. It is for localhost, 127.0.0.1 and [::1]."})
	}
	if sdk.ValidateName(req.Config.String(attrManifest)) != nil {
		out = append(out, schema.Diagnostic{Attribute: attrManifest, Summary: strconv.Quote(req.Config.String(attrManifest)) + " is no name of a file", Detail: "The manifest lies in the root of the tree: write its name alone."})
	}
	if req.Config.Int(attrEntries) < 1 {
		out = append(out, schema.Diagnostic{Attribute: attrEntries, Summary: "no tree could be served", Detail: "Write a number of entries, or leave it out."})
	}
	if req.Config.Int(attrPiece) < sdk.MaxChunk {
		out = append(out, schema.Diagnostic{Attribute: attrPiece, Summary: "a piece would be smaller than 1MiB", Detail: `Write "1MiB" or more, or leave it out.`})
	}
	return out
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// OpenSource implements [sdk.Driver].
func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	if bad := d.Check(ctx, req); len(bad) > 0 {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open", Msg: bad[0].Summary}
	}
	base, err := url.Parse("https://" + req.Address.Rest)
	if err != nil {
		return nil, &sdk.Error{Kind: sdk.KindInput, Op: "open", Msg: err.Error()}
	}
	if req.Config.Bool(attrPlain) {
		base.Scheme = "http"
	}
	w := &web{do: d.do, base: strings.TrimSuffix(base.String(), "/") + "/", piece: req.Config.Int(attrPiece), log: d.log}
	name, most := req.Config.String(attrManifest), req.Config.Int(attrEntries)
	how := req.Config.String(attrIndex)
	if how != byListing {
		m := newListed(w, sdk.Path(name), most)
		_, err := m.look(ctx, true)
		if err == nil {
			return newSource(w, m), nil
		}
		if how == byManifest || sdk.KindOf(err) != sdk.KindNotExist {
			return nil, err
		}
	}
	l := &live{web: w, most: most}
	if _, err := l.view().names(ctx, sdk.Root); err != nil {
		return nil, err
	}
	return newSource(w, l), nil
}

// OpenTarget implements [sdk.Driver]. The host does not call it, since Describe
// names one role.
func (*driver) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open target", Msg: "a web server can be the primary only"}
}
