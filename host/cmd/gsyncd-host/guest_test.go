package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
)

// A guest that fails at some directories is a driver with problems: the rest is
// mirrored, the program goes on, and what could not be listed is not taken for
// removed.
func TestGuestWithProblems(t *testing.T) {
	t.Parallel()
	pl := newPlace(t)
	guests := wasmtest.New(t)
	module := guests.Module(t, "github.com/gsyncd/gsyncd-host/host/plugin/wasmrun/testdata/clumsy")
	pl.environ = append(pl.environ, "XDG_CACHE_HOME="+guests.CacheHome())
	data, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	config := func(tree string) string {
		path := filepath.Join(pl.dir, "m.hcl")
		text := fmt.Sprintf("plugin \"driver\" \"clumsy\" {\n  source = %q\n  sha256 = \"%x\"\n}\nmirror \"m\" {\n  primary = \"clumsy://%s\"\n  secondary = %q\n}\n",
			module, sha256.Sum256(data), tree, pl.s)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h := pl.run(t, 3, "-c", config("a,b,exit,panic,z"))
	for _, name := range []string{"a/f-a", "b/f-b", "z/f-z"} {
		got, err := os.ReadFile(filepath.Join(pl.s, name))
		if err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, want := range []string{"problem: panic: ", "it had to come", "problem: exit: ", "status 3"} {
		if !strings.Contains(h.stdout.String(), want) {
			t.Errorf("no word of %q", want)
		}
	}
	pl.noProcess(t)
}
