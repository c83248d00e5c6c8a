package mirror_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

var volumeID = sdk.UUID{0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8}

// volume makes of a rig's primary one that has native xtimes, as Gluster's marker
// keeps them: a directory gets a new one with every change at it or below. Its
// secondary keeps them too. What it knows outlasts a run.
type volume struct {
	*rig
	hidden func(rel string) bool // changes of it mark nothing above: a hole

	stamping sync.Mutex
	states   map[uint64]string // what is at or below a directory, by inode
	stamps   map[uint64]sdk.NativeXTime
	last     sdk.NativeXTime

	mu      sync.Mutex
	since   sdk.NativeXTime
	id      sdk.UUID
	carried map[uint64]sdk.NativeXTime // on the secondary, by inode
	setAt   map[sdk.Path]int           // marks with a native xtime, by directory
	marks   []sdk.VolumeMark           // set on the secondary
}

// newVolume wraps both sides of a rig. More hooks go around what it makes.
func newVolume(r *rig) *volume {
	v := &volume{
		rig: r, id: volumeID, since: sdk.NativeXTime{Sec: 1_000_000_000}, hidden: func(string) bool { return false },
		states: map[uint64]string{}, stamps: map[uint64]sdk.NativeXTime{},
		carried: map[uint64]sdk.NativeXTime{}, setAt: map[sdk.Path]int{},
	}
	r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, v.sourceHooks()} }
	r.wrapTarget = func(t sdk.Target) sdk.Target { return hookTarget{t, v.targetHooks(t)} }
	return v
}

func (v *volume) sourceHooks() *hooks {
	return &hooks{
		info: func(i sdk.Info) sdk.Info {
			v.mu.Lock()
			defer v.mu.Unlock()
			i.Features |= sdk.HasNative
			i.Volume = v.id
			return i
		},
		identity: func(next func() (sdk.Identity, error)) (sdk.Identity, error) {
			id, err := next()
			v.mu.Lock()
			defer v.mu.Unlock()
			id.Filesystem = "gluster:" + v.id.String()
			return id, err
		},
		beacon: func(next func() (sdk.Beacon, error)) (sdk.Beacon, error) {
			b, err := next()
			v.mu.Lock()
			defer v.mu.Unlock()
			b.Index = sdk.VolumeMark{Volume: v.id, Since: v.since}
			return b, err
		},
		scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if req.Fields&sdk.FieldNative == 0 {
				return next(req, sink)
			}
			// One by one: the driver lists several ahead of what the sink is told, and
			// a native xtime is to be read before the listing.
			for i, d := range req.Dirs {
				s := &nativeSink{ScanSink: sink, from: i, dirs: req.Dirs[i : i+1], of: v.nativeOf}
				if err := next(sdk.ScanRequest{Dirs: []sdk.Path{d}, Fields: req.Fields}, s); err != nil {
					return err
				}
			}
			return nil
		},
		stat: func(paths []sdk.Path, fields sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			var before []sdk.NativeXTime
			if fields&sdk.FieldNative != 0 {
				for _, p := range paths {
					before = append(before, v.nativeOf(p, nil))
				}
			}
			out, err := next()
			for i := range before {
				if err == nil && out[i].Type == sdk.TypeDir {
					out[i].Native = before[i]
				}
			}
			return out, err
		},
	}
}

// nativeOf is the native xtime of a directory of the primary.
func (v *volume) nativeOf(dir sdk.Path, _ *sdk.Entry) sdk.NativeXTime {
	sum := fnv.New128a()
	at := filepath.Join(v.primary, string(dir))
	self, err := os.Lstat(at)
	if err != nil {
		return sdk.NativeXTime{}
	}
	v.stamping.Lock()
	defer v.stamping.Unlock()
	_ = filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(v.primary, path)
		if err != nil || v.hidden(rel) {
			return nil
		}
		if info, err := d.Info(); err == nil {
			st := info.Sys().(*syscall.Stat_t)
			// Where the directory is says nothing: it is moved with all below it.
			rel, _ = filepath.Rel(at, path)
			_, _ = fmt.Fprintf(sum, "%q %d %d %d %d\n", rel, st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
		}
		return nil
	})
	ino := self.Sys().(*syscall.Stat_t).Ino
	state := string(sum.Sum(nil))
	if v.states[ino] != state {
		now := time.Now()
		x := sdk.NativeXTime{Sec: uint32(now.Unix()), Usec: uint32(now.Nanosecond() / 1000)}
		if x.Sec < v.last.Sec || x.Sec == v.last.Sec && x.Usec <= v.last.Usec {
			if x = v.last; x.Usec < 999_999 {
				x.Usec++
			} else {
				x = sdk.NativeXTime{Sec: x.Sec + 1}
			}
		}
		v.states[ino], v.stamps[ino], v.last = state, x, x
	}
	return v.stamps[ino]
}

func (v *volume) targetHooks(t sdk.Target) *hooks {
	of := func(_ sdk.Path, e *sdk.Entry) sdk.NativeXTime {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.carried[e.ID.Ino]
	}
	return &hooks{
		info: func(i sdk.Info) sdk.Info {
			i.Features |= sdk.HasNative | sdk.KeepsVolumeMark
			return i
		},
		scan: func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
			if req.Fields&sdk.FieldNative != 0 {
				sink = &nativeSink{ScanSink: sink, dirs: req.Dirs, of: of}
			}
			return next(req, sink)
		},
		stat: func(_ []sdk.Path, fields sdk.Fields, next func() ([]sdk.Entry, error)) ([]sdk.Entry, error) {
			out, err := next()
			for i := range out {
				if fields&sdk.FieldNative != 0 && out[i].Type == sdk.TypeDir {
					out[i].Native = of("", &out[i])
				}
			}
			return out, err
		},
		apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			return v.apply(t, ops, next)
		},
	}
}

// apply does operations one by one, as a driver with native xtimes does.
func (v *volume) apply(t sdk.Target, ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
	out := make([]sdk.OpResult, len(ops))
	var run []sdk.Op
	from := 0
	flush := func(to int) error {
		if len(run) == 0 {
			return nil
		}
		res, err := next(run)
		copy(out[from:to], res)
		run = nil
		return err
	}
	for i := range ops {
		if ops[i].Kind == sdk.OpSetVolumeMark {
			if err := flush(i); err != nil {
				return nil, err
			}
			from = i + 1
			v.mu.Lock()
			v.marks = append(v.marks, ops[i].VolumeMark)
			v.mu.Unlock()
			continue
		}
		run = append(run, ops[i])
	}
	before, err := v.standing(t, ops)
	if err != nil {
		return nil, err
	}
	if err := flush(len(ops)); err != nil {
		return nil, err
	}
	for i := range ops {
		if kind := ops[i].Kind; kind != sdk.OpSetMark && kind != sdk.OpMkdir || out[i].Err != nil {
			continue
		}
		found, err := t.Stat(context.Background(), []sdk.Path{ops[i].Path}, 0)
		if err != nil {
			return nil, err
		}
		if ops[i].Kind == sdk.OpMkdir && before[ops[i].Path] == found[0].ID {
			continue // it was there, and keeps what it carries
		}
		m, err := crawl.DecodeMark(ops[i].Mark)
		v.mu.Lock()
		v.carried[found[0].ID.Ino] = ops[i].Native
		if err == nil && !m.XTime.IsZero() {
			v.setAt[ops[i].Path]++
		}
		v.mu.Unlock()
	}
	return out, nil
}

// standing gives the directories that stand where operations are to make some.
func (v *volume) standing(t sdk.Target, ops []sdk.Op) (map[sdk.Path]sdk.FileID, error) {
	var paths []sdk.Path
	for i := range ops {
		if ops[i].Kind == sdk.OpMkdir {
			paths = append(paths, ops[i].Path)
		}
	}
	out := map[sdk.Path]sdk.FileID{}
	if len(paths) == 0 {
		return out, nil
	}
	found, err := t.Stat(context.Background(), paths, 0)
	for i := range found {
		out[paths[i]] = found[i].ID
	}
	return out, err
}

// classic makes of the secondary's marks what the classic gsyncd leaves: native
// xtimes alone, those of the primary as it is.
func (v *volume) classic() {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.carried)
	err := filepath.WalkDir(v.secondary, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		for _, space := range []string{"user.", "trusted."} {
			_ = xattr.LRemove(path, space+sdk.ReservedXattr+"test")
		}
		rel, err := filepath.Rel(v.secondary, path)
		v.carried[inode(v.t, path)] = v.nativeOf(sdk.Path(rel), nil)
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	v.session = mirror.Session{}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// nativeSink gives the rows of a scan their native xtimes.
type nativeSink struct {
	sdk.ScanSink
	from int // the number of the first directory
	dirs []sdk.Path
	of   func(sdk.Path, *sdk.Entry) sdk.NativeXTime
	open sdk.Path
}

func (s *nativeSink) BeginDir(i int, self *sdk.Entry) error {
	s.open = s.dirs[i]
	e := *self
	e.Native = s.of(s.open, self)
	return s.ScanSink.BeginDir(s.from+i, &e)
}

func (s *nativeSink) EndDir(i int, err *sdk.Error) error { return s.ScanSink.EndDir(s.from+i, err) }

func (s *nativeSink) Entry(e *sdk.Entry) error {
	if e.Type != sdk.TypeDir || strings.HasPrefix(e.Name, sdk.ReservedPrefix) {
		return s.ScanSink.Entry(e)
	}
	c := *e
	c.Native = s.of(s.open.Join(e.Name), e)
	return s.ScanSink.Entry(&c)
}
