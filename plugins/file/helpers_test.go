package file_test

import (
	"os"

	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

func must(t drivertest.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t drivertest.T, dir string) {
	t.Helper()
	must(t, os.Mkdir(dir, 0o755))
}
