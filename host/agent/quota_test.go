package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// full reports whether a result says that the limit was reached.
func full(err *sdk.Error) bool {
	return err != nil && err.Kind == sdk.KindNoSpace && strings.Contains(err.Msg, "--max-bytes")
}

// TestMaxBytes fills a tree that holds 8 bytes with two names, and 2 × 7.
func TestMaxBytes(t *testing.T) {
	const held = 8 + 7 + 7
	th := newThief(t, agent.Policy{MaxBytes: held + 100})
	now := time.Unix(1e9, 0)
	th.bypass(agent.Policy{MaxBytes: held + 100}, func() time.Time { return now })
	if err := th.put("new/f", "x"); err == nil || full(err) {
		t.Errorf("no directory: %v", err) // and yet it is counted, till the next time
	}
	if err := th.put("a", strings.Repeat("a", 60)); err != nil {
		t.Error(err)
	}
	if err := th.put("b", strings.Repeat("b", 40)); !full(err) {
		t.Errorf("39 bytes were left for 40: %v", err)
	}
	now = now.Add(59 * time.Second)
	if err := th.put("b", strings.Repeat("b", 40)); !full(err) {
		t.Errorf("it was counted again too soon: %v", err)
	}
	now = now.Add(time.Second)
	if err := th.put("b", strings.Repeat("b", 40)); err != nil {
		t.Errorf("it was not counted again: %v", err)
	}
	if err := th.put("c", "c"); !full(err) {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := th.put("empty", ""); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	must(t, os.Remove(filepath.Join(th.root, "a")))
	now = now.Add(time.Minute)
	if err := th.put("c", "c"); err != nil {
		t.Errorf("what was removed still counts: %v", err)
	}
	if _, err := os.Stat(filepath.Join(th.root, "c")); err != nil {
		t.Error(err)
	}
}

// TestMaxBytesStream sends many files in one stream, some of which have no
// room, and lies about sizes.
func TestMaxBytesStream(t *testing.T) {
	th := newThief(t, agent.Policy{MaxBytes: 22 + 100})
	w, err := th.target.Write(t.Context())
	must(t, err)
	sizes := []int64{50, 60, 1 << 62, 30, 1<<63 - 1, 20, 1}
	for i, n := range sizes {
		must(t, w.Begin(sdk.NewFile{Path: sdk.Path("n" + string(rune('0'+i))), Size: n}))
		must(t, w.Data(0, []byte("x")))
		must(t, w.End(i != 5))
	}
	results, err := w.Close()
	must(t, err)
	for i, want := range []bool{false, true, true, false, true, false, true} {
		if full(results[i].Err) != want {
			t.Errorf("file %d of %d bytes: %v", i, sizes[i], results[i].Err)
		}
		_, err := os.Stat(filepath.Join(th.root, "n"+string(rune('0'+i))))
		if exists := err == nil; exists != (results[i].Err == nil && i != 5) {
			t.Errorf("file %d exists: %v", i, exists)
		}
	}
	th.bypass(agent.Policy{MaxBytes: 1 << 20}, time.Now)
	w, err = th.target.Write(t.Context())
	must(t, err)
	must(t, w.Begin(sdk.NewFile{Path: "small", Size: 1}))
	if err := w.Data(0, make([]byte, 4096)); err == nil {
		t.Error("a file became longer than it was to be")
	}
	_, _ = w.Close()
}

// TestMaxBytesRename takes the name of a file that is given up then: its bytes
// must go on to count.
func TestMaxBytesRename(t *testing.T) {
	th := newThief(t, agent.Policy{MaxBytes: 22 + 100})
	th.bypass(agent.Policy{MaxBytes: 22 + 100}, time.Now)
	data := []byte(strings.Repeat("x", 80))
	w, err := th.target.Write(t.Context())
	must(t, err)
	must(t, w.Begin(sdk.NewFile{Path: r + "a", Size: 80}))
	must(t, w.Data(0, data))
	if said := th.do(sdk.Op{Kind: sdk.OpRename, From: r + "a", Path: "stays"}); said[0] != "" {
		t.Fatal(said)
	}
	must(t, w.End(false))
	must(t, w.Begin(sdk.NewFile{Path: r + "b", Size: 80}))
	must(t, w.Data(0, data))
	must(t, w.End(true))
	results, err := w.Close()
	must(t, err)
	if !full(results[1].Err) {
		t.Errorf("160 bytes were written where there was room for 100: %v", results)
	}
}
