package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// selfExec is how the program calls itself to serve a plugin.
const selfExec = "/proc/self/exe"

// TestMain lets the test binary be the program: when it is called by that name,
// or by itself to serve a plugin, or by rsync.
func TestMain(m *testing.M) {
	if os.Args[0] == selfExec || filepath.Base(os.Args[0]) == programName || len(os.Args) > 1 && os.Args[1] == "remote-shell" {
		main()
	}
	testscript.Main(m, map[string]func(){programName: main})
}

const programName = "gsyncd-host"
