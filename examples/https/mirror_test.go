package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
	"github.com/gsyncd/gsyncd-host/examples/internal/build"
)

const someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestMirror runs the host with the example's configuration: what a server shows
// becomes a directory, and what changes there arrives. The secret is the host's.
func TestMirror(t *testing.T) {
	s := serveDir(t, needsToken("secret"))
	base := t.TempDir()
	tree, mirror, token := filepath.Join(s.dir, "tree"), filepath.Join(base, "mirror"), filepath.Join(base, "token")
	build.Fill(t, tree)
	list := func() {
		t.Helper()
		if err := manifest.Make(tree); err != nil {
			t.Fatal(err)
		}
	}
	list()
	// What a young manifest lists is brought once more when it is old enough.
	if err := os.Chtimes(filepath.Join(tree, manifest.Name), old(), old()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	module := programs.Guest(t, "https")
	url := s.url + "/tree/"
	programs.Mirror(t, build.Example(t, "https.hcl", `"https.driver.wasm"`, `"`+module+`"`, someSum, build.Sum(t, module),
		`http "https://downloads.example.com/tree/"`, `http "`+url+`"`, `"https://downloads.example.com/tree/"`, `"https`+url[len("http"):]+`"`,
		`env    = "DOWNLOADS_TOKEN"`, `file = "`+token+`"`, `index    = "manifest"`, "plain = true\nindex = \"manifest\"",
		`interval = "1m"`, `interval = "200ms"`, "/mnt/mirror/downloads", mirror))
	build.Become(t, mirror, withoutManifest(t, tree))
	same := build.Inode(t, filepath.Join(mirror, "docs/same"))
	build.Change(t, tree)
	list()
	build.Become(t, mirror, withoutManifest(t, tree))
	if build.Inode(t, filepath.Join(mirror, "docs/same")) != same {
		t.Error("a file that did not change was brought once more")
	}
	// Without a manifest, and a secret that is not needed, it is another tree.
	plain := serveDir(t, nil)
	plain.put(t, "d/f", "x")
	programs.Check(t, module, "--allow-http", plain.url, "--url", "https"+plain.url[len("http"):], "--set", "plain=true")
}

// needsToken refuses who does not say the word.
func needsToken(word string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer "+word {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

// withoutManifest copies what the manifest is of.
func withoutManifest(t *testing.T, tree string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "want")
	out, err := exec.Command("cp", "-a", tree, dir).CombinedOutput()
	if err := errors.Join(err, os.Remove(filepath.Join(dir, manifest.Name))); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}
