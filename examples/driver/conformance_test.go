package main

import (
	"os"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// TestMain is also the plugin's main function.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestDriver(t *testing.T) {
	drivertest.Run(t, drivertest.Config{
		Launch: func(t drivertest.T) sdk.Driver { d, _ := launch(t); return d }, LaunchToKill: launch, NewTree: newTree,
	})
}

func newTree(t drivertest.T) drivertest.Tree {
	dir := t.TempDir()
	return drivertest.Tree{Address: sdk.Address{Scheme: "only", Rest: dir}, Dir: dir}
}

func launch(t drivertest.T) (d sdk.Driver, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := process.Launch(t.Context(), process.Command{Path: self, Args: []string{"serve"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	d, err = p.Driver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d, p.Kill
}
