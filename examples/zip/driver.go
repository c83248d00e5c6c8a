package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	attrEntries = "max_entries"
	attrBytes   = "max_bytes"
	attrCache   = "cache"
)

// driver opens archives that lie in granted directories.
type driver struct {
	log     *slog.Logger
	granted *grant.Set
}

var _ sdk.Driver = (*driver)(nil)

func newDriver(log *slog.Logger) sdk.Driver { return &driver{log: log, granted: grant.Given()} }

// Describe implements [sdk.Driver].
func (*driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name:    "zip",
		Version: "1.0.0",
		Schemes: []string{"zip"},
		Roles:   []sdk.Role{sdk.Primary},
		Schema: schema.Schema{
			{Name: attrEntries, Type: schema.Count, Default: int64(1_000_000), Doc: "The most entries an archive may have; one with more is not served."},
			{Name: attrBytes, Type: schema.Size, Default: int64(1) << 40, Doc: "The most bytes that all files of an archive together may unpack to; one with more is not served."},
			{Name: attrCache, Type: schema.Size, Default: int64(16) << 20, Doc: "Memory for small files of a .tar.gz that are met before their turn."},
		},
	}
}

func limitsOf(v schema.Values) limits {
	return limits{entries: v.Int(attrEntries), bytes: v.Int(attrBytes), memory: v.Int(attrCache)}
}

// Check implements [sdk.Driver].
func (d *driver) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	var out []schema.Diagnostic
	lim := limitsOf(req.Config)
	if lim.entries < 1 {
		out = append(out, schema.Diagnostic{Attribute: attrEntries, Summary: "no archive could be served", Detail: "Write a number of entries, or leave it out."})
	}
	if lim.bytes < 1 || lim.bytes > 1<<60 {
		out = append(out, schema.Diagnostic{Attribute: attrBytes, Summary: "no archive could be served", Detail: `Write a size up to "1048576TiB", or leave it out.`})
	}
	dir, p, err := d.granted.Find(req.Address.Rest)
	if err != nil {
		detail := "Write zip:// and the absolute path of an archive: zip:///srv/export.zip."
		if sdk.KindOf(err) == sdk.KindPermission {
			detail = "Grant the directory that holds it in the plugin's block."
		}
		return append(out, schema.Diagnostic{Summary: "the archive cannot be reached: " + message(err), Detail: detail})
	}
	if about := look(ctx, dir, p, req.Address.Rest); about != nil {
		out = append(out, *about)
	}
	return out
}

// look says what is wrong with an archive, as far as its first bytes tell.
func look(ctx context.Context, dir *grant.Dir, p sdk.Path, name string) *schema.Diagnostic {
	f, err := dir.Open(ctx, p)
	switch sdk.KindOf(err) {
	case sdk.KindNotExist:
		return &schema.Diagnostic{Summary: fmt.Sprintf("the archive %q does not exist", name), Detail: "Correct the path, or create the archive."}
	case sdk.KindChanged:
		return &schema.Diagnostic{Summary: fmt.Sprintf("%q is not a regular file", name), Detail: "Name a zip, tar or tar.gz archive, not a directory or a link to one."}
	}
	if err != nil {
		return &schema.Diagnostic{Summary: fmt.Sprintf("the archive %q cannot be read: %s", name, message(err)), Detail: "Run as a user who may read it."}
	}
	defer f.Close()
	kind, err := kindOf(f, f.Size())
	if err != nil {
		return &schema.Diagnostic{Summary: fmt.Sprintf("the archive %q cannot be read: %s", name, message(err)), Detail: "Check the disk it lies on."}
	}
	if kind == notArchive {
		return &schema.Diagnostic{Summary: fmt.Sprintf("%q is neither a zip nor a tar archive", name), Detail: "Name a zip, tar or tar.gz archive. If it is still being written, wait for its end."}
	}
	return nil
}

// message is an error's text, without what was being done where that is plain.
func message(err error) string {
	e := sdk.NewError("", "", err)
	if e.Msg != "" {
		return e.Msg
	}
	return err.Error()
}

// OpenSource implements [sdk.Driver].
func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	dir, p, err := d.granted.Find(req.Address.Rest)
	if err != nil {
		return nil, err
	}
	return openSource(ctx, dir, p, limitsOf(req.Config), d.log)
}

// OpenTarget implements [sdk.Driver]. The host does not call it, since Describe
// names one role.
func (*driver) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open target", Msg: "an archive can be the primary only"}
}
