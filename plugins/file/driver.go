package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Version is the driver's, for people.
const Version = "0.1.0"

const (
	attrCrossMounts = "cross_mounts"
	attrJobs        = "jobs"
	maxJobs         = 64
)

type driver struct {
	log *slog.Logger
}

var _ sdk.Driver = (*driver)(nil)

// New returns the driver. A nil logger means silence.
func New(log *slog.Logger) sdk.Driver {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &driver{log: log}
}

func (d *driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name:    "file",
		Version: Version,
		Schemes: []string{"file"},
		Roles:   []sdk.Role{sdk.Primary, sdk.Secondary},
		Schema: schema.Schema{
			{Name: attrCrossMounts, Type: schema.Bool, Default: false, Doc: "Go on below directories where another filesystem is mounted."},
			{Name: attrJobs, Type: schema.Count, Default: int64(2), Doc: "How many directories are listed at once."},
		},
	}
}

// settings are the configuration in its own types.
type settings struct {
	crossMounts bool
	jobs        int
}

func settingsOf(v schema.Values) (settings, error) {
	s := settings{crossMounts: v.Bool(attrCrossMounts), jobs: 2}
	if _, ok := v[attrJobs]; ok {
		n := v.Int(attrJobs)
		if n < 1 || n > maxJobs {
			return s, &sdk.Error{Kind: sdk.KindInput, Op: "configure", Msg: "jobs must be 1 to 64"}
		}
		s.jobs = int(n)
	}
	return s, nil
}

func (d *driver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	var out []schema.Diagnostic
	if _, err := settingsOf(req.Config); err != nil {
		out = append(out, schema.Diagnostic{Attribute: attrJobs, Summary: "jobs must be 1 to 64", Detail: "Two for each processor is plenty."})
	}
	path := req.Address.Rest
	if !filepath.IsAbs(path) {
		return append(out, schema.Diagnostic{Summary: "the path " + quote(path) + " is not absolute", Detail: "Write file:///path/of/the/directory."})
	}
	if req.Role == sdk.Primary {
		return append(out, checkSource(path)...)
	}
	return append(out, checkTarget(path)...)
}

func checkSource(path string) []schema.Diagnostic {
	switch st, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return complain("the directory "+quote(path)+" does not exist", "Create it, mount its filesystem, or correct the path.")
	case err != nil:
		return complain("the directory "+quote(path)+" cannot be reached: "+reason(err), "Check the permissions of the directories above it.")
	case !st.IsDir():
		return complain(quote(path)+" is not a directory", "A mirror is of a directory: name the one that holds it.")
	}
	root, err := localfs.Open(path)
	if err != nil {
		return complain("the directory "+quote(path)+" cannot be read: "+reason(err), "Run as a user who may read it.")
	}
	defer root.Close()
	return nil
}

func checkTarget(path string) []schema.Diagnostic {
	dir := path
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(path); lerr == nil {
			return complain(quote(path)+" is a symbolic link that leads nowhere", "Remove the link or create what it points to.")
		}
		dir = filepath.Dir(path)
		st, err = os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return complain("neither "+quote(path)+" nor the directory above it exists", "Create "+quote(dir)+", or mount its filesystem.")
		}
	}
	switch {
	case err != nil:
		return complain("the directory "+quote(dir)+" cannot be reached: "+reason(err), "Check the permissions of the directories above it.")
	case !st.IsDir():
		return complain(quote(dir)+" is not a directory", "Remove it or choose another path.")
	}
	if err := writable(dir, st); err != nil {
		cure := "Run as a user who may write it."
		if errors.Is(err, syscall.EROFS) {
			cure = "Mount its filesystem for writing."
		}
		return complain("the directory "+quote(dir)+" cannot be written: "+reason(err), cure)
	}
	if localfs.Privileged() {
		return nil
	}
	return []schema.Diagnostic{{
		Warning: true,
		Summary: "without root's rights some attributes cannot be kept in " + quote(path),
		Detail:  "Owners, devices, trusted and security attributes need them. All else is mirrored. Run as root to keep everything.",
	}}
}

func complain(summary, detail string) []schema.Diagnostic {
	return []schema.Diagnostic{{Summary: summary, Detail: detail}}
}

// OpenSource implements sdk.Driver.
func (d *driver) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	o, err := d.options(req)
	if err != nil {
		return nil, err
	}
	return localtree.OpenSource(req.Address.Rest, o)
}

// OpenTarget implements sdk.Driver.
func (d *driver) OpenTarget(_ context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	o, err := d.options(req)
	if err != nil {
		return nil, err
	}
	o.Volume = req.Volume
	return localtree.OpenTarget(req.Address.Rest, o)
}

func (d *driver) options(req sdk.OpenRequest) (localtree.Options, error) {
	set, err := settingsOf(req.Config)
	return localtree.Options{Logger: d.log, CrossMounts: set.crossMounts, Jobs: set.jobs, MarkKey: req.MarkKey}, err
}
