package resurl_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/config/resurl"
)

func TestOverlap(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a/sub", "ab"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		want resurl.Relation
	}{
		{"a", "a/", resurl.Equal},
		{"a", "link", resurl.Equal},
		{"a", "ab", resurl.Apart},
		{"a/sub", "a", resurl.AInsideB},
		{"a", "link/sub", resurl.BInsideA},
		{"a", "link/sub/not/yet", resurl.BInsideA},
		{"link/new", "a/new", resurl.Equal},
		{"a/new", "a/other", resurl.Apart},
	} {
		a, b := parse(t, filepath.Join(dir, c.a)), parse(t, filepath.Join(dir, c.b))
		if got := resurl.Overlap(a, b, filepath.EvalSymlinks); got != c.want {
			t.Errorf("Overlap(%s, %s) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b string
		want resurl.Relation
	}{
		{"/", "/x", resurl.BInsideA},
		{"/x", "/", resurl.AInsideB},
		{":v", "localhost:v", resurl.Equal},
		{":v", ":w", resurl.Apart},
		{"/x", "h:/x", resurl.Apart},
		{"/s3", "s3://x", resurl.Apart},
	} {
		if got := resurl.Overlap(parse(t, c.a), parse(t, c.b), nil); got != c.want {
			t.Errorf("Overlap(%s, %s) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func parse(t *testing.T, raw string) resurl.URL {
	t.Helper()
	u, err := resurl.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
