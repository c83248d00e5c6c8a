package wasmrun

import (
	"os"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
)

// guests are the guests of this test run.
var guests *wasmtest.Guests

func TestMain(m *testing.M) {
	os.Exit(wasmtest.Run(func(g *wasmtest.Guests) int {
		guests = g
		return m.Run()
	}))
}

func read(t testing.TB, path string) *wasmfile.File {
	t.Helper()
	f, err := wasmfile.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
