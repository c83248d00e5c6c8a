// Command clumsy is a guest that fails in many ways: at the directory or file that is
// named for one. All else about it is a good, small tree.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/serve"
)

func main() {
	serve.Driver(func(log *slog.Logger) sdk.Driver { return &driver{log: log} })
}

type driver struct{ log *slog.Logger }

func (*driver) Describe() sdk.Descriptor {
	return sdk.Descriptor{Name: "clumsy", Version: "1", Schemes: []string{"clumsy"}, Roles: []sdk.Role{sdk.Primary, sdk.Secondary}}
}

func (*driver) Check(context.Context, sdk.OpenRequest) []schema.Diagnostic { return nil }

func (d *driver) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	fail(req.Address.Rest)
	t := &tree{log: d.log}
	for _, name := range strings.Split(req.Address.Rest, ",") {
		if name != "" {
			t.names = append(t.names, name)
		}
	}
	return t, nil
}

func (d *driver) OpenTarget(_ context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	return &target{tree{log: d.log}}, nil
}

// piece is one of the places whose bytes fdWrite writes.
type piece struct{ at, size uint32 }

//go:wasmimport wasi_snapshot_preview1 fd_write
func fdWrite(fd int32, pieces unsafe.Pointer, count uint32, written unsafe.Pointer) uint32

// fail does what the last component of a path says.
func fail(path string) {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "loop":
		for n := 0; ; n++ {
			if n == -1 {
				return
			}
		}
	case "memory":
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
			all[len(all)-1][7] = byte(len(all))
		}
	case "panic":
		panic("it had to come")
	case "recurse":
		fmt.Fprint(os.Stderr, recurse(1))
	case "exit":
		os.Exit(3)
	case "deadlock":
		select {}
	case "sleep":
		time.Sleep(time.Hour)
	case "gush":
		text := bytes.Repeat([]byte{'\n'}, 4<<20)
		pieces := slices.Repeat([]piece{{at: uint32(uintptr(unsafe.Pointer(unsafe.SliceData(text)))), size: uint32(len(text))}}, 1<<20)
		var written uint32
		for {
			fdWrite(2, unsafe.Pointer(unsafe.SliceData(pieces)), uint32(len(pieces)), unsafe.Pointer(&written))
		}
	case "talk":
		for range 100_000 {
			fmt.Fprintln(os.Stderr, strings.Repeat("talk ", 20))
		}
	}
}

func recurse(n int) int {
	if n == 0 {
		return 0
	}
	return recurse(n+1) + len(fmt.Sprint(n))
}

// tree is a root with directories, each of which holds one file of its own name.
type tree struct {
	log   *slog.Logger
	names []string
}

func (t *tree) Info() sdk.Info {
	if slices.Contains(t.names, "alone") {
		return sdk.Info{Features: sdk.OneInstance}
	}
	return sdk.Info{}
}

func (*tree) Identity(context.Context) (sdk.Identity, error) {
	return sdk.Identity{Filesystem: "clumsy:1", Root: sdk.FileID{Ino: 1, Gen: 1}}, nil
}

func (*tree) Close() error { return nil }

func (*tree) Beacon(context.Context) (sdk.Beacon, error) {
	return sdk.Beacon{Now: sdk.Time{Sec: time.Now().Unix()}, Window: 0}, nil
}

func entry(path sdk.Path) sdk.Entry {
	e := sdk.Entry{Name: path.Base(), Type: sdk.TypeDir, Perm: 0o755, Nlink: 2, ID: sdk.FileID{Ino: 1, Gen: 1}, Mtime: sdk.Time{Sec: 1}, Ctime: sdk.Time{Sec: 1}}
	for _, c := range []byte(path) {
		e.ID.Ino = e.ID.Ino*31 + uint64(c)
	}
	if path == sdk.Root {
		e.ID.Ino = 1
	}
	if strings.Count(string(path), "/") > 0 {
		e.Type, e.Perm, e.Nlink, e.Size = sdk.TypeRegular, 0o644, 1, int64(len(path))
	}
	return e
}

func (t *tree) Scan(_ context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	t.log.Info("scanning", "directories", len(req.Dirs))
	for i, dir := range req.Dirs {
		fail(string(dir))
		self := entry(dir)
		self.Name = "."
		if err := sink.BeginDir(i, &self); err != nil {
			return err
		}
		names := t.names
		if dir != sdk.Root {
			names = []string{"f-" + dir.Base()}
		}
		for _, name := range names {
			e := entry(dir.Join(name))
			if err := sink.Entry(&e); err != nil {
				return err
			}
		}
		if err := sink.EndDir(i, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) Stat(_ context.Context, paths []sdk.Path, _ sdk.Fields) ([]sdk.Entry, error) {
	var out []sdk.Entry
	for _, p := range paths {
		fail(string(p))
		out = append(out, entry(p))
	}
	return out, nil
}

func (t *tree) Read(_ context.Context, paths []sdk.Path, sink sdk.ReadSink) error {
	for i, p := range paths {
		e := entry(p)
		if err := sink.BeginFile(i, &e); err != nil {
			return err
		}
		fail(strings.TrimPrefix(p.Base(), "r-"))
		if late, ok := strings.CutPrefix(p.Base(), "l-"); ok { // once a part has been sent
			for n := range int64(8) {
				if err := sink.Data(n<<20, make([]byte, sdk.MaxChunk)); err != nil {
					return err
				}
			}
			fail(late)
		}
		if err := sink.Data(0, []byte(p)); err != nil {
			return err
		}
		if err := sink.EndFile(i, &e, nil); err != nil {
			return err
		}
	}
	return nil
}

// target takes anything and keeps nothing.
type target struct{ tree }

func (t *target) Apply(_ context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	for _, o := range ops {
		fail(string(o.Path))
	}
	return make([]sdk.OpResult, len(ops)), nil
}

func (t *target) Write(context.Context) (sdk.Writer, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "write"}
}

func (t *target) Sync(context.Context) error { return nil }
