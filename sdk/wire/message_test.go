package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// nowhere takes what is read or written.
type nowhere struct{}

func (nowhere) BeginFile(int, *sdk.Entry) error           { return nil }
func (nowhere) EndFile(int, *sdk.Entry, *sdk.Error) error { return nil }
func (nowhere) Data(int64, []byte) error                  { return nil }
func (nowhere) Begin(sdk.NewFile) error                   { return nil }
func (nowhere) End(bool) error                            { return nil }
func (nowhere) Close() ([]sdk.OpResult, error)            { return nil, nil }

// vectors are messages of all kinds.
func vectors(t testing.TB) (out [][]byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "abi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Bytes string }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		b, err := hex.DecodeString(v.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// Whatever comes over the border, no decoder panics, and what it accepts is valid.
func FuzzMessages(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if req, err := DecodeOpen(b); err == nil {
			again, err := AppendOpen(nil, &req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeOpen(again); err != nil {
				t.Fatalf("%+v: %v", req, err)
			}
		}
		if ops, err := NewCursor(b).Ops(); err == nil {
			for i := range ops {
				if err := CheckOp(&ops[i]); err != nil {
					t.Fatal(err)
				}
			}
			if again, err := AppendOps(nil, ops); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%v: encoded again\n%x\n%x", err, b, again)
			}
		}
		if _, paths, err := NewCursor(b).Paths(); err == nil {
			for _, p := range paths {
				if err := p.Validate(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if d, err := DecodeManifest(b); err == nil {
			if again, err := AppendManifest(nil, d); err != nil {
				t.Fatal(err)
			} else if _, err := DecodeManifest(again); err != nil {
				t.Fatal(err)
			}
		}
		_ = NewReadDecoder(1, 0, nowhere{}).Feed(b)
		_ = NewWriteDecoder(nowhere{}).Feed(b)
		_, _ = NewCursor(b).Result()
		_, _ = DecodeDiagnostics(b)
		_, _ = DecodeInfo(b)
		_, _ = DecodeIdentity(b)
		_, _ = DecodeBeacon(b)
		_, _ = NewCursor(b).WebRequest()
		_, _ = NewCursor(b).WebResponse()
		_, _, _ = NewCursor(b).Log()
	})
}
