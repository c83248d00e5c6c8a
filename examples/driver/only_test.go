package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestSuffixes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.jpg", "b.txt", "jpg"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := newOnly(slog.New(slog.DiscardHandler)).OpenSource(t.Context(), request(dir, ".jpg", ".raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got names
	if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{sdk.Root}}, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names{"a.jpg", "sub"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	got := newOnly(nil).Check(t.Context(), request(t.TempDir(), ""))
	if len(got) != 1 || got[0].Attribute != attrSuffixes {
		t.Errorf("complaints %+v", got)
	}
}

func request(dir string, suffixes ...string) sdk.OpenRequest {
	return sdk.OpenRequest{
		Address: sdk.Address{Scheme: "only", Rest: dir}, Role: sdk.Primary,
		Config: schema.Values{attrSuffixes: suffixes},
	}
}

// names takes the names of what is listed.
type names []string

func (n *names) BeginDir(int, *sdk.Entry) error { return nil }
func (n *names) Entry(e *sdk.Entry) error       { *n = append(*n, e.Name); return nil }
func (n *names) EndDir(_ int, err *sdk.Error) error {
	if err != nil {
		return err
	}
	return nil
}
