package rsync_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/rsync"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// script makes a program that takes rsync's place.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rsync")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// job makes a job over files of the given sizes.
func job(t *testing.T, target string, values schema.Values, sizes ...int) (sdk.Job, []sdk.File) {
	t.Helper()
	source := t.TempDir()
	cfg, err := rsync.New(nil).Describe().Schema.WithDefaults(values)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{sdk.JobBasis, sdk.JobOut} {
		if err := os.MkdirAll(filepath.Join(target, "job", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var files []sdk.File
	for i, n := range sizes {
		name := strconv.Itoa(i)
		if err := os.WriteFile(filepath.Join(source, "f"+name), []byte(strings.Repeat("x", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, sdk.File{Name: name, Path: sdk.Path("f" + name), Size: int64(n)})
	}
	return sdk.Job{Source: sdk.Endpoint{Path: source}, Target: sdk.Endpoint{Path: target}, Dir: "job", Config: cfg}, files
}

func runJob(ctx context.Context, t *testing.T, j sdk.Job, files []sdk.File) (map[string]*sdk.Error, error) {
	t.Helper()
	got := map[string]*sdk.Error{}
	err := rsync.New(nil).Run(ctx, j, files, func(r sdk.FileResult) { got[r.Name] = r.Err }, nil)
	return got, err
}

// awaitDead fails if the process named in file is there for long.
func awaitDead(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); alive(pid); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestWatchdog(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	j, files := job(t, t.TempDir(), schema.Values{
		"program": script(t, "sleep 1000 & echo $! >"+pid+"; wait"),
		"timeout": 3 * time.Second, // in which the script must have begun
	}, 10, 10)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if e := got[f.Name]; e == nil || e.Kind != sdk.KindTransient || e.Msg != "moved no byte for 3s" {
			t.Errorf("file %s: %v", f.Name, e)
		}
	}
	awaitDead(t, pid)
}

func TestCancelKillsAll(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	j, files := job(t, t.TempDir(), schema.Values{"program": script(t, "trap '' TERM INT; sleep 1000 & echo $! >"+pid+".new; mv "+pid+".new "+pid+"; wait")}, 10)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if _, err := os.Stat(pid); err == nil {
				return
			}
			<-tick.C
		}
	}()
	start := time.Now()
	_, err := runJob(ctx, t, j, files)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	awaitDead(t, pid)
}

func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name, body string
		kinds      []sdk.Kind
		errno      syscall.Errno
		says       string
	}{
		{"well, but nothing made", "cat >/dev/null", []sdk.Kind{sdk.KindTransient, sdk.KindTransient}, 0, "the file is not there"},
		{"usage", `cat >/dev/null; echo 'rsync: --xyz: unknown option' >&2; exit 1`, []sdk.Kind{sdk.KindFatal, sdk.KindFatal}, 0, "unknown option"},
		{"full", `cat >/dev/null; echo 'rsync: [receiver] write failed on "/a/out/0": No space left on device (28)' >&2; exit 11`, []sdk.Kind{sdk.KindNoSpace, sdk.KindNoSpace}, syscall.ENOSPC, "No space left"},
		{"one file", `cat >/dev/null; echo 'rsync: [receiver] mkstemp "/a/out/.0.AbCdEf" failed: Permission denied (13)' >&2; exit 23`, []sdk.Kind{sdk.KindPermission, sdk.KindTransient}, syscall.EACCES, "mkstemp"},
		{"killed", `kill -9 $$`, []sdk.Kind{sdk.KindTransient, sdk.KindTransient}, 0, "killed"},
		{"unknown", `exit 99`, []sdk.Kind{sdk.KindTransient, sdk.KindTransient}, 0, "code 99"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, files := job(t, t.TempDir(), schema.Values{"program": script(t, c.body)}, 10, 10)
			got, err := runJob(t.Context(), t, j, files)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.kinds {
				if e := got[strconv.Itoa(i)]; e == nil || e.Kind != want {
					t.Errorf("file %d: %v, want kind %s", i, e, want)
				}
			}
			if e := got["0"]; e != nil && (e.Errno != c.errno || !strings.Contains(e.Msg, c.says)) {
				t.Errorf("error %+v, want errno %d and %q", e, c.errno, c.says)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	needRsync(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: mounting a small filesystem needs root")
	}
	small := t.TempDir()
	if err := syscall.Mount("none", small, "tmpfs", 0, "size=1M"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(small, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	j, files := job(t, small, nil, 100, 4<<20, 100)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil {
		t.Fatal(err)
	}
	if e := got["1"]; e == nil || e.Kind != sdk.KindNoSpace || e.Errno != syscall.ENOSPC {
		t.Errorf("error %v", e)
	}
	left, err := os.ReadDir(filepath.Join(small, "job", sdk.JobOut))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if strings.HasPrefix(f.Name(), ".") {
			t.Errorf("%s is left behind", f.Name())
		}
	}
}

func TestNoProgram(t *testing.T) {
	j, files := job(t, t.TempDir(), schema.Values{"program": "/nowhere/rsync"}, 1)
	if _, err := runJob(t.Context(), t, j, files); err == nil {
		t.Error("no error")
	}
}

// TestFarmIsHeld: hosts that start sweep directories of the farm's name that
// nobody has locked.
func TestFarmIsHeld(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	j, files := job(t, t.TempDir(), schema.Values{"program": script(t, "cat >/dev/null; for d in "+temp+"/gsyncd-host-rsync-*; do flock -n $d true && echo 'it is free' >&2; done; exit 1")}, 10)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil {
		t.Fatal(err)
	}
	if e := got["0"]; e == nil || strings.Contains(e.Msg, "it is free") {
		t.Errorf("error %v", e)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%d entries are left in the directory for temporary files", len(left))
	}
}
