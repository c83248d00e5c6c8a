package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
)

// selfExec is how the program calls itself to serve a plugin.
const selfExec = "/proc/self/exe"

// TestMain lets the test binary be the program: when it is called by that name,
// or by itself to serve a plugin, or by rsync; or somebody else's driver.
func TestMain(m *testing.M) {
	if os.Args[0] == selfExec || filepath.Base(os.Args[0]) == programName || len(os.Args) > 1 && os.Args[1] == "remote-shell" {
		program()
	}
	if serveThird() {
		return
	}
	moreAtOnce()
	if signal.Ignored(syscall.SIGHUP) { // as nohup makes it, and what the tests start would go by that
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Main(withLab{m}, map[string]func(){programName: program})
}

// program is main, and ends at once: under the race detector os.Exit waits a
// second, and the tests end thousands of processes.
func program() {
	if err := offerHalts(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	code := run()
	if races() > 0 {
		code = 66 // as the race detector has it
	}
	syscall.Exit(code)
}

// glusterLab is the Gluster that tests share; it starts with the first that asks.
var glusterLab glusterlab.Shared

// withLab ends the lab after the tests.
type withLab struct{ *testing.M }

// Run implements testscript.TestingM.
func (w withLab) Run() int {
	code := w.M.Run()
	if err := glusterLab.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// moreAtOnce runs more tests at the same time than there are processors: for most
// of their time they wait, for networks and for processes that are to notice
// something. The flag -parallel says otherwise.
func moreAtOnce() {
	const most = 4
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given && runtime.GOMAXPROCS(0) < most {
		_ = flag.Set("test.parallel", strconv.Itoa(most)) // it is there, and takes numbers
	}
}

const programName = "gsyncd-host"
