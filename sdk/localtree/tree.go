package localtree

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// tree is what both sides have in common.
type tree struct {
	root     *localfs.Root
	marks    *localfs.Root // root, unless there is another way for marks
	ways     ways          // to directories there
	set      Options
	log      *slog.Logger
	info     sdk.Info
	markAttr string // "" where there are no marks
	native   string // attribute of native xtimes, "" where there are none
	onClose  func()

	mu      sync.Mutex
	idle    *sync.Cond
	running int
	end     context.Context // over once Close was called
	stop    context.CancelFunc
	gone    bool
}

func newTree(root *localfs.Root, set Options, log *slog.Logger) *tree {
	t := &tree{root: root, marks: root, set: set, log: log, onClose: func() {}}
	t.idle = sync.NewCond(&t.mu)
	t.end, t.stop = context.WithCancel(context.Background())
	return t
}

// enter begins a call: the context returned ends with the caller's or with
// Close. leave must be called.
func (t *tree) enter(ctx context.Context, op string) (_ context.Context, leave func(), err error) {
	if err := t.begin(ctx, op); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	undo := context.AfterFunc(t.end, cancel)
	return ctx, func() {
		undo()
		cancel()
		t.leave()
	}, nil
}

// begin is enter for a call that is too short to be ended before its time. leave
// must be called.
func (t *tree) begin(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end.Err() != nil {
		return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "the resource is closed"}
	}
	t.running++
	return nil
}

func (t *tree) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running--; t.running == 0 {
		t.idle.Broadcast()
	}
}

// Info implements sdk.Resource.
func (t *tree) Info() sdk.Info { return t.info }

// Identity implements sdk.Resource.
func (t *tree) Identity(ctx context.Context) (sdk.Identity, error) {
	ctx, leave, err := t.enter(ctx, "identify")
	if err != nil {
		return sdk.Identity{}, err
	}
	defer leave()
	if err := t.root.Verify(); err != nil {
		return sdk.Identity{}, err
	}
	fs, err := t.root.Filesystem()
	if err != nil {
		return sdk.Identity{}, err
	}
	e, err := t.root.StatFD(t.root.FD())
	if err != nil {
		return sdk.Identity{}, err
	}
	id := sdk.Identity{Filesystem: fs.String(), Root: e.ID}
	if t.set.Identity == nil {
		return id, nil
	}
	return t.set.Identity(ctx, id)
}

// Close implements sdk.Resource. It waits for the calls that run, which end
// soon since their contexts do.
func (t *tree) Close() error {
	t.stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.running > 0 {
		t.idle.Wait()
	}
	if t.gone {
		return nil
	}
	t.gone = true
	t.onClose()
	err := t.closeRoots()
	if t.set.Closed == nil {
		return err
	}
	return errors.Join(err, t.set.Closed())
}

// describe adds the costly fields to an entry of an open directory; name "."
// is the directory itself.
func (t *tree) describe(d *localfs.Dir, e *sdk.Entry, fields sdk.Fields) (err error) {
	if fields&sdk.FieldTarget != 0 && e.Type == sdk.TypeSymlink {
		if e.Target, err = d.Readlink(e.Name); err != nil {
			return err
		}
	}
	if fields&sdk.FieldXattrs != 0 {
		if e.Name == "." {
			e.Xattrs, err = d.OwnXattrs()
		} else {
			e.Xattrs, err = d.Xattrs(e.Name)
		}
		if err != nil {
			return err
		}
	}
	if fields&sdk.FieldMark != 0 && e.Type == sdk.TypeDir && t.markAttr != "" && !e.Mount {
		mark, err := d.Xattr(e.Name, t.markAttr)
		if err != nil {
			// A mark that cannot be read is one that vouches for nothing, which is
			// not the same as none.
			t.log.Debug("cannot read mark", "name", e.Name, "error", err)
			e.Mark = []byte{0}
		} else if len(mark) <= sdk.MaxMark {
			e.Mark = mark
		}
	}
	return nil
}

func (t *tree) wantsNative(e *sdk.Entry, fields sdk.Fields) bool {
	if t.native == "" || e.Mount || e.Type == sdk.TypeUnknown {
		return false
	}
	return fields&sdk.FieldNative != 0 && e.Type == sdk.TypeDir || fields&sdk.FieldEntryNative != 0
}
