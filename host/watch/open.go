package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// The kinds of events, and what does without.
const (
	Auto     = "auto"
	Btrfs    = "btrfs"
	Fanotify = "fanotify"
	Inotify  = "inotify"
	Scan     = "scan"
)

// Index is what is asked of the marker; *marker.Marker is one. Its methods are
// called concurrently.
type Index interface {
	// Has reports whether a directory is in the tree as far as is known.
	Has(id sdk.FileID) bool
	// Dirs counts the directories that are known.
	Dirs() int
	// Point is where in the history of its filesystem the tree was last known.
	Point() marker.Point
	// Linked reports whether there are files with several names, and Holders in
	// which directories such a file has names.
	Linked() bool
	Holders(file sdk.FileID) []sdk.FileID
}

// Options says what Open works with. Pace, Scan, Chosen and Logger may be left out.
type Options struct {
	// Kind is one of the kinds above: Auto takes the best that works.
	Kind string
	// Once says that there will be few looks, one right after the other. Then a
	// history alone is of use, and is asked before each of them.
	Once   bool
	Source sdk.Source
	Index  Index
	Pace   Pace
	// Scan is how to go on where there are no events.
	Scan marker.ScanPace
	// Chosen is told of each choice, and at once when what was chosen fails: on any
	// goroutine, one at a time.
	Chosen func(Choice)
	Logger *slog.Logger

	lacks bool // the disk may lack what was written to it, as history has it
}

// Refusal says why a kind of events is not to be had.
type Refusal struct {
	Kind string
	Err  error
}

// demand makes an error of it when what was asked for by name is not to be had.
func (o *Options) demand(refused []Refusal) error {
	return &sdk.Error{Kind: sdk.KindTransient, Op: "watch the primary", Msg: fmt.Sprintf("schedule { detector = %q }: %s; or leave detector out", o.Kind, refused[0].Err)}
}

// openRoot opens the primary if events can tell of all that changes it.
func openRoot(ctx context.Context, src sdk.Source) (*localfs.Root, error) {
	info := src.Info()
	switch {
	case !info.Endpoint.Local():
		return nil, fmt.Errorf("the primary is not a directory of this machine")
	}
	id, err := src.Identity(ctx)
	if err != nil {
		return nil, err
	}
	root, err := localfs.Open(info.Endpoint.Path)
	if err != nil {
		return nil, err
	}
	err = suits(root, id)
	if err == nil && info.Features&sdk.StillBeacon == 0 {
		err = errors.New("the driver touches a file to read the filesystem's clock, so that each look would cause the next; one that is built with a newer sdk, or starts while the disk is less busy, may do without")
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// suits reports why the events of a directory's filesystem are of no use for a
// tree that its driver identifies so.
func suits(root *localfs.Root, id sdk.Identity) error {
	self, err := root.StatFD(root.FD())
	if err != nil {
		return err
	}
	if self.ID != id.Root {
		return fmt.Errorf("%s is not the directory that the driver has open", root.Path())
	}
	fs, err := root.Filesystem()
	if err != nil {
		return err
	}
	if !fs.Local() {
		return fmt.Errorf("on a filesystem of type %s others can make changes of which this machine's kernel does not tell", fs.Type)
	}
	return nil
}

// newDetector makes a detector for one kind of events of a root, which is the
// detector's then.
func newDetector(kind string, root *localfs.Root, o Options) (*Detector, error) {
	d := &Detector{
		name: kind, root: root, crosses: o.Source.Info().Features&sdk.CrossesMounts != 0, has: o.Index.Has, log: o.Logger, deafed: func(error) {}, pace: o.Pace.withDefaults(),
		ended: make(chan struct{}), wake: make(chan struct{}, 1),
		told: map[sdk.FileID]struct{}{}, later: map[sdk.FileID]struct{}{},
	}
	if o.Once {
		d.pace = Pace{Busy: 1}.withDefaults()
	}
	d.budget.share = d.pace.Busy
	d.lost = kind != Btrfs // the first look
	var err error
	if d.mounts, err = openMounts(root); err != nil {
		return nil, err
	}
	err = d.openEar(kind, o)
	if err == nil {
		_, err = d.span()
	}
	if err == nil {
		err = unix.Pipe2(d.stop[:], unix.O_CLOEXEC)
	}
	if err != nil {
		if d.ear != nil {
			d.ear.close()
		}
		if d.past != nil {
			d.past.volume.release()
		}
		d.mounts.close()
		return nil, err
	}
	return d, nil
}

// openEar opens what a detector hears by.
func (d *Detector) openEar(kind string, o Options) error {
	switch kind {
	case Btrfs:
		return d.openPast(o)
	case Fanotify:
		f, err := openFanotify(d.root, o.Index)
		if err == nil {
			d.ear = f
		}
		return err
	case Inotify:
		n, err := openInotify(d.root, o.Index.Dirs())
		if err == nil {
			d.ear = n
		}
		return err
	}
	return errors.New("no such kind of events")
}

// openPast opens the filesystem's history, and events beside it if there are any and
// enough time for them to come.
func (d *Detector) openPast(o Options) (err error) {
	if d.past, err = openHistory(d.root, d.mounts, o, d.pace.Every); err != nil {
		return err
	}
	d.ear, d.past.each = silence{}, o.Once
	if o.Once {
		return nil
	}
	f, err := openFanotify(d.root, o.Index)
	if err != nil {
		d.past.silent, d.without = true, &Refusal{Fanotify, err}
		return nil
	}
	d.ear = f
	return nil
}
