// Package beneath is a driver of trees in granted directories.
package beneath

import (
	"context"
	"log/slog"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	attrCrossMounts = "cross_mounts"
	attrJobs        = "jobs"
	attrHide        = "hide"
)

// driver does by handle what the driver of files does by path.
type driver struct {
	log     *slog.Logger
	granted *grant.Set
}

var _ sdk.Driver = (*driver)(nil)

// New returns the driver for what is granted.
func New(log *slog.Logger, granted *grant.Set) sdk.Driver {
	return &driver{log: log, granted: granted}
}

// Describe implements [sdk.Driver].
func (*driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name: "granted", Version: "1.0.0", Schemes: []string{"granted"}, Roles: []sdk.Role{sdk.Primary, sdk.Secondary},
		Schema: schema.Schema{
			{Name: attrCrossMounts, Type: schema.Bool, Default: false, Doc: "Go on below directories where another filesystem is mounted."},
			{Name: attrJobs, Type: schema.Count, Default: int64(2), Doc: "How many directories are listed at once."},
			{Name: attrHide, Type: schema.Strings, Doc: "Ends of the names of files that a primary does not show."},
		},
	}
}

// Check implements [sdk.Driver].
func (d *driver) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	if n := req.Config.Int(attrJobs); n < 1 || n > grant.MaxJobs {
		return []schema.Diagnostic{{Attribute: attrJobs, Summary: "jobs must be 1 to 64", Detail: "Two for each processor is plenty."}}
	}
	dir, path, err := d.granted.Find(req.Address.Rest)
	if err != nil {
		return complain(err)
	}
	if req.Role == sdk.Secondary {
		if !dir.Writable() {
			return []schema.Diagnostic{{Summary: "the directory " + dir.Path() + " is granted for reading only", Detail: "Grant it for writing in the plugin's block."}}
		}
		if _, err := dir.Stat(ctx, path); sdk.KindOf(err) == sdk.KindNotExist && err != nil && path != sdk.Root {
			path = path.Dir() // which is all that need be there
		}
	}
	switch e, err := dir.Stat(ctx, path); {
	case err != nil:
		return complain(err)
	case e.Type != sdk.TypeDir:
		return []schema.Diagnostic{{Summary: "there is a " + e.Type.String() + ", not a directory", Detail: "A mirror is of a directory: name the one that holds it."}}
	}
	return nil
}

func complain(err error) []schema.Diagnostic {
	return []schema.Diagnostic{{Summary: err.Error(), Detail: "Correct the path, or what the plugin's block grants."}}
}

// OpenSource implements [sdk.Driver].
func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	dir, path, err := d.granted.Find(req.Address.Rest)
	if err != nil {
		return nil, err
	}
	src, err := dir.Source(ctx, path, options(req))
	if hide := req.Config.Strings(attrHide); err == nil && len(hide) > 0 {
		return &hiding{Source: src, suffixes: hide}, nil
	}
	return src, err
}

// OpenTarget implements [sdk.Driver].
func (d *driver) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	dir, path, err := d.granted.Find(req.Address.Rest)
	if err != nil {
		return nil, err
	}
	d.log.Debug("opening", "directory", dir.Path(), "path", string(path))
	return dir.Target(ctx, path, options(req))
}

func options(req sdk.OpenRequest) grant.TreeOptions {
	return grant.TreeOptions{CrossMounts: req.Config.Bool(attrCrossMounts), Jobs: int(req.Config.Int(attrJobs)), MarkKey: req.MarkKey}
}
