package main

import (
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
)

// newTree makes a directory beneath the granted one.
func newTree(t drivertest.T, base string) drivertest.Tree {
	t.Helper()
	dir, err := os.MkdirTemp(base, "tree")
	if err != nil {
		t.Fatal(err)
	}
	return drivertest.Tree{Address: sdk.Address{Scheme: "granted", Rest: dir}, Dir: dir}
}
