package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

type nopSink struct{ entry func(*sdk.Entry) error }

func (nopSink) BeginDir(int, *sdk.Entry) error { return nil }
func (s nopSink) Entry(e *sdk.Entry) error {
	if s.entry != nil {
		return s.entry(e)
	}
	return nil
}
func (nopSink) EndDir(int, *sdk.Error) error { return nil }

func TestDescribe(t *testing.T) {
	got := driver(t, launch(t, command(t, "driver"))).Describe()
	if diff := cmp.Diff(newFakeDriver(nil).Describe(), got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckAndOpen(t *testing.T) {
	d := driver(t, launch(t, command(t, "driver")))
	req := request("bad", nil)
	req.Role = sdk.Primary
	want := []schema.Diagnostic{{Attribute: "entries", Summary: "bad", Detail: "do better", Ask: "better entries"}}
	if diff := cmp.Diff(want, d.Check(t.Context(), req)); diff != "" {
		t.Error(diff)
	}
	_, err := d.OpenSource(t.Context(), request("refused", nil))
	wantErr := &sdk.Error{Kind: sdk.KindBusy, Op: "open the thing: lock", Path: "a\xff/b", Errno: 11, Msg: "held by 7"}
	if diff := cmp.Diff(error(wantErr), err); diff != "" {
		t.Error(diff)
	}
	if _, err := d.OpenTarget(t.Context(), request("x", schema.Values{"nonsense": true})); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
	s := source(t, d, "x", nil)
	wantInfo := sdk.Info{Features: sdk.CanOwner, Endpoint: sdk.Endpoint{Path: "/x"}, Volume: sdk.UUID{7}}
	if diff := cmp.Diff(wantInfo, s.Info()); diff != "" {
		t.Error(diff)
	}
	b, err := s.Beacon(t.Context())
	if diff := cmp.Diff(fakeBeacon(), b); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	s := source(t, driver(t, launch(t, command(t, "driver"))), "hang", nil)
	done := make(chan error)
	go func() {
		_, err := s.Identity(t.Context())
		done <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error %v", err)
	}
	if _, err := s.Identity(t.Context()); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error %v", err)
	}
}

type recordSink struct{ got []string }

func (r *recordSink) BeginDir(i int, self *sdk.Entry) error {
	r.got = append(r.got, fmt.Sprintf("begin %d %s", i, self.Name))
	return nil
}

func (r *recordSink) Entry(e *sdk.Entry) error {
	r.got = append(r.got, e.Name)
	return nil
}

func (r *recordSink) EndDir(i int, err *sdk.Error) error {
	r.got = append(r.got, fmt.Sprintf("end %d %v", i, err))
	return nil
}

func TestScan(t *testing.T) {
	s := source(t, driver(t, launch(t, command(t, "driver"))), "x", schema.Values{"entries": int64(2)})
	var sink recordSink
	if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{".", "missing", "d"}}, &sink); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"begin 0 .", "file-00000000", "file-00000001", "end 0 <nil>",
		"end 1 open missing: no such file or directory",
		"begin 2 .", "file-00000000", "file-00000001", "end 2 <nil>",
	}
	if diff := cmp.Diff(want, sink.got); diff != "" {
		t.Error(diff)
	}
}

func TestScanManyDirs(t *testing.T) {
	s := source(t, driver(t, launch(t, command(t, "driver"))), "x", schema.Values{"entries": int64(3)})
	dirs := make([]sdk.Path, 2*sdk.MaxBatch+7)
	for i := range dirs {
		dirs[i] = sdk.Path(fmt.Sprintf("d%d", i))
	}
	var sink recordSink
	if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: dirs}, &sink); err != nil {
		t.Fatal(err)
	}
	if len(sink.got) != 5*len(dirs) || sink.got[5*2001] != "begin 2001 ." {
		t.Errorf("%d rows, %q", len(sink.got), sink.got[5*2001])
	}
}

func TestScanErrors(t *testing.T) {
	d := driver(t, launch(t, command(t, "driver")))
	s := source(t, d, "x", schema.Values{"entries": int64(1e6)})
	enough := errors.New("enough")
	err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"."}}, nopSink{entry: func(*sdk.Entry) error { return enough }})
	if err != enough {
		t.Errorf("error of the sink became %v", err)
	}
	err = s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"../x"}}, nopSink{})
	if sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
	err = source(t, d, "unsorted", nil).Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"."}}, nopSink{})
	if sdk.KindOf(err) != sdk.KindFatal {
		t.Errorf("error %v", err)
	}
}

func TestStat(t *testing.T) {
	// 20 attributes of 64 KiB: more than a batch holds.
	s := source(t, driver(t, launch(t, command(t, "driver"))), "x", schema.Values{"bytes": int64(sdk.MaxXattrValue)})
	paths := []sdk.Path{".", "a/missing"}
	for i := range 20 {
		paths = append(paths, sdk.Path(fmt.Sprintf("a/b%d", i)))
	}
	got, err := s.Stat(t.Context(), paths, sdk.FieldXattrs)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := (&fakeResource{bytes: sdk.MaxXattrValue}).Stat(t.Context(), paths, 0)
	if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Error(diff)
	}
}

// After a sync that failed nothing more of a list is done, in whatever message it
// comes.
func TestApplyStopsAtFailedSync(t *testing.T) {
	tg := target(t, driver(t, launch(t, command(t, "driver"))), "full")
	if tg.Info().Features&sdk.SyncsInLists == 0 {
		t.Fatal("the target takes no sync in a list")
	}
	ops := make([]sdk.Op, 18*sdk.MaxBatch)
	for i := range ops {
		ops[i] = sdk.Op{Kind: sdk.OpMkdir, Path: sdk.Path(fmt.Sprintf("d%d", i))}
	}
	ops[1] = sdk.Op{Kind: sdk.OpSync, Path: sdk.Root}
	got, err := tg.Apply(t.Context(), ops)
	if err != nil || len(got) != len(ops) {
		t.Fatalf("%d results, %v", len(got), err)
	}
	for i, r := range got {
		if (r.Err != nil) != (i > 0) {
			t.Fatalf("result %d: %v", i, r.Err)
		}
	}
}

func TestApply(t *testing.T) {
	tg := target(t, driver(t, launch(t, command(t, "driver"))), "count")
	ops := make([]sdk.Op, 2*sdk.MaxBatch+500)
	for i := range ops {
		ops[i] = sdk.Op{Kind: sdk.OpMkdir, Path: sdk.Path(fmt.Sprintf("d%d", i))}
	}
	ops[1500].Path, ops[2100].Path = "x/fail", "lossy"
	// Each as large as attributes get, together more than a message.
	for i := range 40 {
		ops[i] = sdk.Op{Kind: sdk.OpSetMeta, Path: "x", Meta: sdk.Meta{Mask: sdk.MetaXattrs}}
		for j := range 5 {
			ops[i].Meta.Xattrs = append(ops[i].Meta.Xattrs, sdk.Xattr{Name: fmt.Sprint("user.", j), Value: make([]byte, sdk.MaxXattrValue)})
		}
	}
	got, err := tg.Apply(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]sdk.OpResult, len(ops))
	want[1500].Err = &sdk.Error{Kind: sdk.KindNoSpace, Op: "make", Path: "x/fail", Errno: 28}
	want[2100].Lost = sdk.LostOwner
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	id, err := tg.Identity(t.Context())
	if err != nil || id.Root.Ino != uint64(len(ops)) {
		t.Errorf("%d operations arrived: %v", id.Root.Ino, err)
	}
	if id.Filesystem != "1" {
		t.Errorf("they arrived in %s calls: a target far away would wait for each", id.Filesystem)
	}
	// What comes before an operation that cannot be sent is done, and told.
	list := slices.Clone(ops[40:])
	list[2300].Path = "a/../b"
	got, err = tg.Apply(t.Context(), list)
	if sdk.KindOf(err) != sdk.KindInput || len(got) != 2*sdk.MaxBatch {
		t.Errorf("%d results, error %v", len(got), err)
	}
	if id, err = tg.Identity(t.Context()); err != nil || id.Root.Ino != uint64(len(ops)+len(got)) {
		t.Errorf("%d operations arrived: %v", id.Root.Ino, err)
	}
	if _, err := tg.Apply(t.Context(), []sdk.Op{{Kind: sdk.OpMkdir, Path: "a/../b"}}); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
	huge := sdk.Op{Kind: sdk.OpSetMeta, Path: "x"}
	for j := range 200 {
		huge.Meta.Xattrs = append(huge.Meta.Xattrs, sdk.Xattr{Name: fmt.Sprint("user.", j), Value: make([]byte, sdk.MaxXattrValue)})
	}
	if _, err := tg.Apply(t.Context(), []sdk.Op{huge}); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
}

func TestSync(t *testing.T) {
	d := driver(t, launch(t, command(t, "driver")))
	if err := target(t, d, "x").Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if err := target(t, d, "full").Sync(t.Context()); sdk.KindOf(err) != sdk.KindNoSpace {
		t.Errorf("error %v", err)
	}
}

func TestTransfer(t *testing.T) {
	tr, err := launch(t, command(t, "transfer")).Transfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newFakeTransfer(nil).Describe(), tr.Describe()); diff != "" {
		t.Error(diff)
	}
	if got := tr.Check(t.Context(), schema.Values{"jobs": int64(0)}); len(got) != 1 || got[0].Attribute != "jobs" {
		t.Errorf("diagnostics %v", got)
	}
	files := make([]sdk.File, sdk.MaxBatch+500)
	for i := range files {
		files[i] = sdk.File{Name: fmt.Sprint(i), Path: sdk.Path(fmt.Sprintf("dir/f%d", i)), Size: 2}
	}
	job := sdk.Job{Source: sdk.Endpoint{Path: "/a"}, Target: sdk.Endpoint{Path: "/b", Shell: []string{"ssh", "h"}}, Dir: "job"}
	var results int
	var failed []sdk.FileResult
	var moved int64
	take := func(r sdk.FileResult) {
		results++
		if r.Err != nil {
			failed = append(failed, r)
		}
	}
	if err := tr.Run(t.Context(), job, files, take, func(n int64) { moved = n }); err != nil {
		t.Fatal(err)
	}
	want := []sdk.FileResult{{Name: "3", Moved: 2, Err: &sdk.Error{Kind: sdk.KindChanged, Op: "send", Path: "dir/f3"}}}
	if diff := cmp.Diff(want, failed); diff != "" || results != len(files) || moved != int64(2*len(files)) {
		t.Errorf("%d results, %d bytes, failed: %s", results, moved, diff)
	}
	job.Dir = "bad"
	if err := tr.Run(t.Context(), job, files[:1], take, nil); sdk.KindOf(err) != sdk.KindTransient {
		t.Errorf("error %v", err)
	}
	files[0].Name = "../x"
	if err := tr.Run(t.Context(), job, files, take, nil); sdk.KindOf(err) != sdk.KindInput {
		t.Errorf("error %v", err)
	}
}
