package main

import (
	"log/slog"
	"testing"

	"github.com/gsyncd/gsyncd-host/examples/granted/beneath"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

func TestDriver(t *testing.T) {
	base := t.TempDir()
	granted := grant.New(grant.Config{Dirs: []grant.DirConfig{{Path: base, Write: true}}})
	defer granted.Close()
	drivertest.Run(t, drivertest.Config{
		New:     func() sdk.Driver { return beneath.New(slog.New(slog.DiscardHandler), granted) },
		NewTree: func(t drivertest.T) drivertest.Tree { return newTree(t, base) },
	})
}
