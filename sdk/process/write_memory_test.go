package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestWriteMixesNothing writes several streams at once, of files that are told
// apart by every byte, to a target that keeps of a file what it may keep. The
// memory of a message is used again for the next: none may show in another file.
func TestWriteMixesNothing(t *testing.T) {
	const streams, files = 4, 60
	g := target(t, behind(t, tellingDriver{&fakeDriver{}}, false), "files")
	var all sync.WaitGroup
	for s := range streams {
		all.Go(func() {
			if err := writeTold(t.Context(), g, s*files, files); err != nil {
				t.Errorf("stream %d: %v", s, err)
			}
		})
	}
	all.Wait()
}

// writeTold writes files and looks at the results.
func writeTold(ctx context.Context, g sdk.Target, first, count int) error {
	w, err := g.Write(ctx)
	if err != nil {
		return err
	}
	for n := first; n < first+count; n++ {
		f := told(n)
		err := w.Begin(f)
		// Some come in many messages, some in one, and most share one.
		for off := int64(0); off < f.Size && err == nil; off += 100 << 10 {
			err = w.Data(off, bytes.Repeat(toldByte(n), int(min(100<<10, f.Size-off))))
		}
		if err = errors.Join(err, w.End(true)); err != nil {
			return err
		}
	}
	results, err := w.Close()
	for i, r := range results {
		if r.Err != nil {
			err = errors.Join(err, fmt.Errorf("file %d: %w", first+i, r.Err))
		}
	}
	if err == nil && len(results) != count {
		err = fmt.Errorf("%d results for %d files", len(results), count)
	}
	return err
}

// told is what file n has to be.
func told(n int) sdk.NewFile {
	size := int64(n%7) * 1000
	if n%10 == 0 {
		size = 700 << 10
	}
	return sdk.NewFile{Path: sdk.Path(strconv.Itoa(n)), Size: size, Meta: sdk.Meta{
		Mask: sdk.MetaXattrs, Xattrs: []sdk.Xattr{{Name: "user." + strconv.Itoa(n), Value: bytes.Repeat(toldByte(^n), 2000)}},
	}}
}

func toldByte(n int) []byte { return []byte{byte(n)} }

// tellingDriver's targets tell if a file is not what it has to be.
type tellingDriver struct{ *fakeDriver }

func (d tellingDriver) OpenTarget(_ context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	r, err := d.open(req)
	return tellingTarget{r}, err
}

type tellingTarget struct{ *fakeResource }

func (tellingTarget) Write(context.Context) (sdk.Writer, error) { return &tellingWriter{}, nil }

// tellingWriter keeps a file's attributes until its end, and looks at them then.
type tellingWriter struct {
	open    sdk.NewFile
	want    sdk.NewFile
	data    []byte // what each of its bytes is
	results []sdk.OpResult
}

func (w *tellingWriter) Begin(f sdk.NewFile) error {
	n, err := strconv.Atoi(string(f.Path))
	w.open, w.want, w.data = f, told(n), toldByte(n)
	w.results = append(w.results, sdk.OpResult{})
	return err
}

func (w *tellingWriter) Data(off int64, p []byte) error {
	if bytes.Count(p, w.data) != len(p) {
		w.tell(fmt.Sprintf("data at %d", off))
	}
	return nil
}

func (w *tellingWriter) End(bool) error {
	switch got := w.open; {
	case got.Path != w.want.Path || got.Size != w.want.Size || len(got.Meta.Xattrs) != 1:
		w.tell("the description")
	case got.Meta.Xattrs[0].Name != w.want.Meta.Xattrs[0].Name || !bytes.Equal(got.Meta.Xattrs[0].Value, w.want.Meta.Xattrs[0].Value):
		w.tell("the attribute")
	}
	return nil
}

func (w *tellingWriter) tell(what string) {
	w.results[len(w.results)-1].Err = &sdk.Error{Op: "write", Path: w.open.Path, Msg: what + " is another file's"}
}

func (w *tellingWriter) Close() ([]sdk.OpResult, error) { return w.results, nil }
