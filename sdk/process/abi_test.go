package process

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

var update = flag.Bool("update", false, "write the ABI's test vectors anew")

// vector is a message of the guests' ABI: a value, for people, and its bytes.
type vector struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	Bytes string          `json:"bytes"`
}

// crossing is a value with its way over either border.
type crossing struct {
	name   string
	value  any
	encode func() ([]byte, error)
	decode func([]byte) (any, error)
	other  func() (any, error) // over the border to processes and back
}

// cross makes a crossing.
func cross[T any](name string, v T, encode func([]byte, T) ([]byte, error), decode func([]byte) (T, error), other func(T) (T, error)) crossing {
	return crossing{
		name: name, value: v,
		encode: func() ([]byte, error) { return encode(nil, v) },
		decode: func(b []byte) (any, error) { return decode(b) },
		other:  func() (any, error) { return other(v) },
	}
}

func sampleDescriptor() sdk.Descriptor {
	return sdk.Descriptor{
		Name: "zip", Version: "1.2", Schemes: []string{"zip", "tar"}, Roles: []sdk.Role{sdk.Primary, sdk.Secondary}, Native: true,
		Schema: schema.Schema{
			{Name: "s", Type: schema.String, Default: "x", OneOf: []string{"x", "y"}, Doc: "One."},
			{Name: "b", Type: schema.Bool, Required: true}, {Name: "c", Type: schema.Count, Default: int64(7)},
			{Name: "d", Type: schema.Duration, Default: 90 * time.Second}, {Name: "z", Type: schema.Size, Default: int64(1 << 20)},
			{Name: "r", Type: schema.Rate}, {Name: "f", Type: schema.Share, Default: 0.25}, {Name: "l", Type: schema.Strings, Default: []string{"a", ""}, Secret: true},
		},
	}
}

func crossings() []crossing {
	meta := sdk.Meta{Mask: sdk.MetaAll, Perm: 0o4750, UID: 1, GID: 1<<32 - 1, Mtime: sdk.Time{Sec: -1, Nsec: 999_999_999}, Xattrs: []sdk.Xattr{{Name: "user.a", Value: []byte{0, 1}}}}
	mark := sdk.VolumeMark{Volume: sdk.UUID{1, 15: 2}, Since: sdk.NativeXTime{Sec: 3, Usec: 4}, Until: sdk.Time{Sec: 5, Nsec: 6}}
	desc := sampleDescriptor()
	out := []crossing{
		cross("manifest", desc, wire.AppendManifest, wire.DecodeManifest, func(d sdk.Descriptor) (sdk.Descriptor, error) {
			m, err := driverToWire(d)
			if err != nil {
				return d, err
			}
			return driverFromWire(m)
		}),
		cross("open-request", sdk.OpenRequest{
			Address: sdk.Address{Scheme: "zip", Rest: "/srv/a b\xff.zip"}, Role: sdk.Secondary, MarkKey: "k1", Volume: sdk.UUID{9},
			Config: schema.Values{"s": "y", "b": true, "c": int64(-1), "d": time.Minute, "z": int64(5), "r": int64(6), "f": 0.5, "l": []string{"p", "", "q"}},
		}, func(b []byte, r sdk.OpenRequest) ([]byte, error) { return wire.AppendOpen(b, &r) }, wire.DecodeOpen, func(r sdk.OpenRequest) (sdk.OpenRequest, error) {
			m, err := openToWire(r)
			if err != nil {
				return r, err
			}
			return openFromWire(m, desc)
		}),
		cross("diagnostics", []schema.Diagnostic{{Warning: true, Summary: "w", Detail: "cure"}, {Attribute: "a", Summary: "s", Ask: "what"}},
			func(b []byte, l []schema.Diagnostic) ([]byte, error) { return wire.AppendDiagnostics(b, l), nil }, wire.DecodeDiagnostics,
			func(l []schema.Diagnostic) ([]schema.Diagnostic, error) {
				return diagnosticsFromWire(diagnosticsToWire(l)), nil
			}),
		cross("beacon", sdk.Beacon{Now: sdk.Time{Sec: 7, Nsec: 8}, Window: time.Second, Index: mark},
			func(b []byte, x sdk.Beacon) ([]byte, error) { return wire.AppendBeacon(b, x), nil }, wire.DecodeBeacon,
			func(x sdk.Beacon) (sdk.Beacon, error) {
				var err error
				x.Index, err = volumeMarkFromWire(volumeMarkToWire(x.Index))
				return x, err
			}),
		cross("paths", []sdk.Path{sdk.Root, "a/b\xff", "c"}, func(b []byte, p []sdk.Path) ([]byte, error) {
			return wire.AppendPaths(b, sdk.FieldTarget|sdk.FieldXattrs, p)
		},
			func(b []byte) ([]sdk.Path, error) {
				f, p, err := wire.NewCursor(b).Paths()
				if f != sdk.FieldTarget|sdk.FieldXattrs {
					return nil, errors.New("other fields")
				}
				return p, err
			}, func(p []sdk.Path) ([]sdk.Path, error) { return pathsFromWire(pathsToWire(p)) }),
	}
	for _, o := range []sdk.Op{
		{Kind: sdk.OpMkdir, Path: "d"}, {Kind: sdk.OpSymlink, Path: "l", Target: "../t", Meta: meta}, {Kind: sdk.OpMknod, Path: "n", Type: sdk.TypeChar, Major: 1, Minor: 3, Meta: meta},
		{Kind: sdk.OpLink, Path: "a", From: "b/c"}, {Kind: sdk.OpRename, Path: "a", From: "b"}, {Kind: sdk.OpRemove, Path: "a"}, {Kind: sdk.OpRemoveTree, Path: "a"},
		{Kind: sdk.OpSetMeta, Path: sdk.Root, Meta: meta}, {Kind: sdk.OpSetMark, Path: "d", Mark: []byte("mark"), Native: sdk.NativeXTime{Sec: 1, Usec: 2}},
		{Kind: sdk.OpSetVolumeMark, Path: sdk.Root, VolumeMark: mark}, {Kind: sdk.OpSync, Path: sdk.Root},
	} {
		out = append(out, cross("op "+o.Kind.String(), o, func(b []byte, o sdk.Op) ([]byte, error) { return wire.AppendOps(b, []sdk.Op{o}) },
			func(b []byte) (sdk.Op, error) {
				ops, err := wire.NewCursor(b).Ops()
				if err != nil || len(ops) != 1 {
					return sdk.Op{}, errors.Join(err, errors.New("not one operation"))
				}
				return ops[0], nil
			}, func(o sdk.Op) (sdk.Op, error) { return opFromWire(opToWire(&o)) }))
	}
	results := []sdk.OpResult{{Lost: sdk.LostOwner | sdk.LostMtime}, {Err: &sdk.Error{Kind: sdk.KindNoSpace, Op: "write", Path: "a/b", Errno: 28, Msg: "full"}}}
	for i, name := range []string{"result good", "result bad"} {
		out = append(out, cross(name, results[i], func(b []byte, r sdk.OpResult) ([]byte, error) { return wire.AppendResult(b, r), nil },
			func(b []byte) (sdk.OpResult, error) { return wire.NewCursor(b).Result() },
			func(r sdk.OpResult) (sdk.OpResult, error) { return resultFromWire(resultToWire(r, ""), "") }))
	}
	before := sdk.Entry{Name: "f", Type: sdk.TypeRegular, Perm: 0o644, Nlink: 1, Size: 9, Mtime: sdk.Time{Sec: 1}, Ctime: sdk.Time{Sec: 2}, ID: sdk.FileID{Ino: 3, Gen: 4}}
	read := fileEvents{Before: before, Offset: 4, Bytes: []byte("hello"), After: before, Err: &sdk.Error{Kind: sdk.KindTransient, Op: "read", Errno: 5}}
	out = append(out, cross("read-events", read, appendRead, decodeRead, otherRead))
	write := writeEvents{File: sdk.NewFile{Path: "d/f", Size: 9, Meta: meta}, Offset: 4, Bytes: []byte("hello"), Keep: true}
	return append(out, cross("write-events", write, appendWrite, decodeWrite, otherWrite))
}

// Every message of the guests' ABI carries what the border to processes carries,
// and its bytes are those of the vectors.
func TestABI(t *testing.T) {
	path := filepath.Join("..", "wire", "testdata", "abi.json")
	var want []vector
	if text, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
	} else if !*update {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, v := range want {
		known[v.Name] = v.Bytes
	}
	var all []vector
	seen := map[string]bool{}
	for _, c := range crossings() {
		b, err := c.encode()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		text, err := json.Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, vector{Name: c.name, Value: text, Bytes: hex.EncodeToString(b)})
		seen[c.name] = true
		if known[c.name] != hex.EncodeToString(b) && !*update {
			t.Errorf("%s: bytes\n%x, of the vector\n%s", c.name, b, known[c.name])
		}
		got, err := c.decode(b)
		if diff := cmp.Diff(c.value, got, cmp.Comparer(bytes.Equal)); diff != "" || err != nil {
			t.Errorf("%s, decoded: %v\n%s", c.name, err, diff)
		}
		other, err := c.other()
		if diff := cmp.Diff(got, other, cmp.Comparer(bytes.Equal)); diff != "" || err != nil {
			t.Errorf("%s, over the other border: %v\n%s", c.name, err, diff)
		}
		for n := range b { // a message that is cut short is never a good one
			if c.name == "read-events" || c.name == "write-events" {
				break // but a stream has pieces
			}
			if _, err := c.decode(b[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes: accepted", c.name, n, len(b))
			}
		}
	}
	for name := range known {
		if !seen[name] {
			t.Errorf("vector %q is of nothing", name)
		}
	}
	if *update {
		text, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fileEvents is a file that is read, and fails in the end.
type fileEvents struct {
	Before sdk.Entry
	Offset int64
	Bytes  []byte
	After  sdk.Entry
	Err    *sdk.Error
}

func appendRead(b []byte, f fileEvents) ([]byte, error) {
	b, err := wire.AppendReadBegin(b, 0, &f.Before)
	if err != nil {
		return b, err
	}
	return wire.AppendReadEnd(wire.AppendData(b, f.Offset, f.Bytes), 0, &f.After, f.Err)
}

func decodeRead(b []byte) (fileEvents, error) {
	var f fileEvents
	dec := wire.NewReadDecoder(1, 0, &f)
	err := errors.Join(dec.Feed(b), dec.Finish())
	return f, err
}

func otherRead(f fileEvents) (fileEvents, error) {
	var out fileEvents
	in := readFeed{sink: &out, files: 1}
	sink := &readSink{queue: eventQueue{send: func(events []*wirepb.FileEvent) error {
		for _, e := range events {
			if err := in.event(e); err != nil {
				return err
			}
		}
		return nil
	}}}
	err := errors.Join(sink.BeginFile(0, &f.Before), sink.Data(f.Offset, f.Bytes), sink.EndFile(0, &f.After, f.Err), sink.queue.flush())
	return out, err
}

// BeginFile implements [sdk.ReadSink].
func (f *fileEvents) BeginFile(_ int, e *sdk.Entry) error {
	f.Before = *e
	return nil
}

// Data implements [sdk.ReadSink].
func (f *fileEvents) Data(off int64, p []byte) error {
	f.Offset, f.Bytes = off, bytes.Clone(p)
	return nil
}

// EndFile implements [sdk.ReadSink].
func (f *fileEvents) EndFile(_ int, e *sdk.Entry, err *sdk.Error) error {
	f.After, f.Err = *e, err
	return nil
}

// writeEvents is a file that is made.
type writeEvents struct {
	File   sdk.NewFile
	Offset int64
	Bytes  []byte
	Keep   bool
}

func appendWrite(b []byte, w writeEvents) ([]byte, error) {
	b, err := wire.AppendWriteBegin(b, &w.File)
	return wire.AppendWriteEnd(wire.AppendData(b, w.Offset, w.Bytes), w.Keep), err
}

func decodeWrite(b []byte) (writeEvents, error) {
	w := &noter{}
	dec := wire.NewWriteDecoder(w)
	err := dec.Feed(b)
	if err == nil {
		_, err = dec.Finish()
	}
	return w.writeEvents, err
}

func otherWrite(e writeEvents) (writeEvents, error) {
	w := &noter{}
	feed := writeFeed{w: w}
	err := errors.Join(
		feed.event(&wirepb.FileEvent{Kind: wirepb.FileEvent_BEGIN, Path: []byte(e.File.Path), Size: e.File.Size, Meta: metaToWire(&e.File.Meta)}),
		feed.event(&wirepb.FileEvent{Kind: wirepb.FileEvent_DATA, Offset: e.Offset, Data: e.Bytes}),
		feed.event(&wirepb.FileEvent{Kind: wirepb.FileEvent_END, Keep: e.Keep}))
	return w.writeEvents, err
}

// noter is a writer that notes what it is told.
type noter struct{ writeEvents }

// Begin implements [sdk.Writer].
func (n *noter) Begin(f sdk.NewFile) error {
	n.File = f
	return nil
}

// Data implements [sdk.Writer].
func (n *noter) Data(off int64, p []byte) error {
	n.Offset, n.Bytes = off, bytes.Clone(p)
	return nil
}

// End implements [sdk.Writer].
func (n *noter) End(keep bool) error {
	n.Keep = keep
	return nil
}

// Close implements [sdk.Writer].
func (n *noter) Close() ([]sdk.OpResult, error) { return make([]sdk.OpResult, 1), nil }
