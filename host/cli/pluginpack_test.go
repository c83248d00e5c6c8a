package cli

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// Through a symlink the file behind it is packed, and only the file that was asked.
func TestPack(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "x.wasm"), filepath.Join(dir, "link.wasm")
	module := wasmtest.Module{Version: 1}.Assemble()
	if err := os.WriteFile(file, module, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("x.wasm", link); err != nil {
		t.Fatal(err)
	}
	desc := sdk.Descriptor{Name: "x", Version: "1", Schemes: []string{"x"}, Roles: []sdk.Role{sdk.Primary}}
	was := sha256.Sum256(module)
	if _, err := pack(link, was[:], desc); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "x.wasm" {
		t.Errorf("the link: %q, %v", to, err)
	}
	if got, found, err := plugin.Manifest(file, nil); err != nil || !found || got.Name != "x" {
		t.Errorf("the file: %v %v %v", got, found, err)
	}
	if _, err := pack(link, was[:], desc); err == nil {
		t.Error("another file than the one that was asked was packed")
	}
}
