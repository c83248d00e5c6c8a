package wasmrun

import (
	"log/slog"
	"os"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

const grantedExample = "github.com/gsyncd/gsyncd-host/examples/granted"

// newGranted runs the example of a driver of granted directories.
func newGranted(t testing.TB, c Config) *Driver {
	t.Helper()
	c.CacheDir = guests.CacheDir()
	d, err := New(t.Context(), read(t, guests.Module(t, grantedExample)), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// The built-in driver's trees, from within a guest, are trees like any other.
func TestConformance(t *testing.T) {
	base := t.TempDir()
	d := newGranted(t, Config{Grants: grant.Config{Dirs: []grant.DirConfig{{Path: base, Write: true}}}})
	drivertest.Run(t, drivertest.Config{
		New: func() sdk.Driver { return d },
		NewTree: func(t drivertest.T) drivertest.Tree {
			dir, err := os.MkdirTemp(base, "tree") //nolint:usetesting // it lies in the granted directory
			if err != nil {
				t.Fatal(err)
			}
			return drivertest.Tree{Address: sdk.Address{Scheme: "granted", Rest: dir}, Dir: dir}
		},
	})
}
