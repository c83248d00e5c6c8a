package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proc is a process of a place.
type proc struct {
	pid  int
	args []string
}

// processes lists the processes of a place, those without a parent too.
func (pl *place) processes(t *testing.T) []proc {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []proc
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(env, []byte("PATH="+pl.bin()+":")) {
			continue // gone, or another's; a zombie has none
		}
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, proc{pid, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
	}
	return out
}

// find lists the processes that are of a kind.
func (pl *place) find(t *testing.T, is func(proc) bool) []proc {
	t.Helper()
	return slices.DeleteFunc(pl.processes(t), func(p proc) bool { return !is(p) })
}

// pluginProc is for find: the plugin of a name, and if root is not empty, the one
// that has that directory open.
func pluginProc(name, root string) func(proc) bool {
	return func(p proc) bool {
		return len(p.args) == 3 && p.args[1] == "plugin" && p.args[2] == name && (root == "" || p.opened(root))
	}
}

// rsyncProgram is for find: an rsync that moves files, not one that is asked
// for its version.
func rsyncProgram(p proc) bool { return filepath.Base(p.args[0]) == "rsync" && !rsyncAsked(p) }

// rsyncAsked is for find: an rsync that tells its version, as validate asks it.
func rsyncAsked(p proc) bool {
	return filepath.Base(p.args[0]) == "rsync" && p.args[len(p.args)-1] == "--version"
}

// opened reports whether the process has a directory open.
func (p proc) opened(root string) bool {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.pid))
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if at, err := os.Readlink(fd); err == nil && at == root {
			return true
		}
	}
	return false
}

// signal sends a signal; a process that is gone is no error.
func (p proc) signal(sig syscall.Signal) { _ = syscall.Kill(p.pid, sig) }

// clockTick is the kernel's unit of processor times in /proc, the same on every
// Linux that Go runs on.
const clockTick = time.Second / 100

// cpu gives the processor time that a process has used.
func (p proc) cpu(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name, in brackets, may hold anything; utime and stime are the 14th
	// and 15th fields.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var sum int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * clockTick
}
