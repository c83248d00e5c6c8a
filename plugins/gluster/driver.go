package gluster

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localtree"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Version is the driver's, for people.
const Version = "0.1.0"

// RunDir is where volumes are mounted, out of other users' sight.
const RunDir = "/run/gsyncd-host/gluster"

type driver struct {
	dir string
	log *slog.Logger
}

var _ sdk.Driver = (*driver)(nil)

// New returns the driver. A nil logger means silence.
func New(log *slog.Logger) sdk.Driver { return In(RunDir, log) }

// In is New with another directory for the mounts.
func In(dir string, log *slog.Logger) sdk.Driver {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &driver{dir: dir, log: log}
}

// Describe implements sdk.Driver.
func (d *driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Name: "gluster", Version: Version, Schemes: []string{"gluster"},
		Roles: []sdk.Role{sdk.Primary, sdk.Secondary}, Native: true, Schema: settingsSchema,
	}
}

// Check implements sdk.Driver. It does not ask the server.
func (d *driver) Check(_ context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	var out []schema.Diagnostic
	if _, err := settingsOf(req.Config); err != nil {
		var w *wrongSetting
		if errors.As(err, &w) {
			out = append(out, schema.Diagnostic{Attribute: w.attr, Summary: w.msg})
		}
	}
	if _, err := parseAddress(req.Address.Rest); err != nil {
		out = append(out, schema.Diagnostic{Summary: err.Error(), Detail: "Write gluster://host:volume."})
	}
	return append(out, checkMachine()...)
}

// checkMachine looks whether a volume can be mounted here at all.
func checkMachine() []schema.Diagnostic {
	complain := func(summary, detail string) []schema.Diagnostic {
		return []schema.Diagnostic{{Summary: summary, Detail: detail}}
	}
	switch _, err := exec.LookPath("glusterfs"); {
	case err != nil:
		return complain("the program glusterfs is not in the PATH", "Install Gluster's client: the package is glusterfs-client in Debian and glusterfs-fuse in Fedora.")
	case os.Geteuid() != 0:
		return complain("a Gluster volume can be mounted by root only", "Run as root, or reach the volume through ssh as root of a machine that may mount it.")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return complain("/dev/fuse cannot be opened: "+reason(err), "Load the module with modprobe fuse; a container must be given the device.")
	}
	f.Close()
	return nil
}

func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// open mounts the volume of a request.
func (d *driver) open(ctx context.Context, req sdk.OpenRequest) (*mount, settings, error) {
	set, err := settingsOf(req.Config)
	if err != nil {
		return nil, set, &sdk.Error{Kind: sdk.KindInput, Op: "configure", Msg: err.Error()}
	}
	a, err := parseAddress(req.Address.Rest)
	if err != nil {
		return nil, set, &sdk.Error{Kind: sdk.KindInput, Op: "open " + req.Address.String(), Msg: err.Error()}
	}
	if bad := checkMachine(); len(bad) > 0 {
		return nil, set, &sdk.Error{Kind: sdk.KindUnsupported, Op: "mount volume " + a.volume, Msg: bad[0].Summary}
	}
	m, err := newMounts(ctx, d.dir, a, req.Role, set, d.log.With("volume", a.volume))
	return m, set, err
}

// OpenSource implements sdk.Driver.
func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (_ sdk.Source, err error) {
	req.Role = sdk.Primary
	m, set, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	mark, err := indexed(ctx, m, set)
	if err != nil {
		return nil, err
	}
	if err := m.whole(); err != nil {
		return nil, err
	}
	s := &primary{mount: m, set: set, volume: mark.Volume, xtime: xtimeAttr(mark.Volume)}
	if s.index, err = s.findIndex(mark); err != nil {
		return nil, err
	}
	if s.index.Volume != mark.Volume {
		if err := m.begun(s.index.Volume); err != nil {
			return nil, err
		}
		m.log.Info("the volume is a secondary: it is mirrored by the xtimes of its upstream", "upstream", s.index.Volume.String())
	}
	return localtree.OpenSource(m.tree(), localtree.Options{
		Logger: m.log, Marks: m.place.mount(), Jobs: set.jobs, Volume: s.index.Volume, Hidden: glusters,
		Identity: s.identity, Beacon: s.beacon, Guard: s.guard,
		Closed: func() error { m.close(); return nil },
	})
}

// glusters reports whether an entry of a volume's root is Gluster's own: where
// self-heal keeps what it has not placed yet, and what the trash feature keeps.
// Neither can be made or removed through a mount.
func glusters(name string) bool {
	return strings.HasPrefix(name, ".glusterfs-anonymous-inode-") || name == ".trashcan"
}

// indexed returns the volume's mark, having the index turned on if the settings
// say so.
func indexed(ctx context.Context, m *mount, set settings) (sdk.VolumeMark, error) {
	mark, err := volumeMark(m.place.mount())
	if !errors.Is(err, errNotIndexed) {
		return mark, markError(m.address, err)
	}
	if !set.enable {
		return mark, markError(m.address, err)
	}
	m.log.Info("turning on the volume's index")
	if err := enableIndex(ctx, set.cli, m.volume); err != nil {
		return mark, err
	}
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for { // the mount hears of it a little later
		if mark, err = volumeMark(m.place.mount()); !errors.Is(err, errNotIndexed) {
			return mark, markError(m.address, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return mark, markError(m.address, err)
		}
	}
}

// markError says what a volume mark that cannot be had means.
func markError(a address, err error) error {
	const op = "read volume mark"
	if errors.Is(err, errNotIndexed) {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: op, Msg: "volume " + a.volume + ` is not indexed: run "gluster volume set ` + a.volume + ` geo-replication.indexing on", or set index = "enable"`}
	}
	if err == nil {
		return nil
	}
	return sdk.NewError(op+" of "+a.volume, "", err)
}

// OpenTarget implements sdk.Driver.
func (d *driver) OpenTarget(ctx context.Context, req sdk.OpenRequest) (_ sdk.Target, err error) {
	req.Role = sdk.Secondary
	m, set, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	s := &secondary{mount: m}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := m.whole(); err != nil {
		return nil, err
	}
	if s.id, err = targetID(ctx, m, set); err != nil {
		return nil, err
	}
	if s.lock, err = lockVolume(d.dir, m, s.id); err != nil {
		return nil, err
	}
	if s.barrier, err = newBarrier(m); err != nil {
		return nil, err
	}
	return localtree.OpenTarget(m.tree(), localtree.Options{
		Logger: m.log, Marks: m.place.mount(), Jobs: set.jobs, MarkKey: req.MarkKey, MarkSpace: "user.", Volume: req.Volume,
		Hidden: func(name string) bool { return name == lockName || glusters(name) }, FsyncRenamed: fsyncJobs,
		Identity: s.identity, Guard: s.guard, Sync: s.barrier.sync, SetVolumeMark: setForeign,
		Closed: func() error { s.close(); return nil },
	})
}
