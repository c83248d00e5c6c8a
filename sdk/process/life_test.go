package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestCrash(t *testing.T) {
	var logs logBuffer
	c := command(t, "driver")
	c.Logger = logs.logger(slog.LevelDebug)
	p := launch(t, c)
	s := source(t, driver(t, p), "crash", nil)
	begin := time.Now()
	_, err := s.Identity(t.Context())
	if sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error %v, want one of kind gone", err)
	}
	if took := time.Since(begin); took > 20*time.Second { // less than any timeout
		t.Errorf("known after %s", took)
	}
	<-p.Done()
	if p.Err() == nil {
		t.Error("a crash is an orderly end")
	}
	if _, err := s.Identity(t.Context()); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error after the crash: %v", err)
	}
	if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"."}}, nopSink{}); sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("scan after the crash: %v", err)
	}
	eventually(t, "trace in the log", func() bool {
		for _, l := range logs.all() {
			if strings.Contains(l, "level=ERROR") && strings.Contains(l, "the fake panics") {
				return true
			}
		}
		return false
	})
}

func TestCrashInScan(t *testing.T) {
	s := source(t, driver(t, launch(t, command(t, "driver"))), "scan-crash", nil)
	err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{".", "a"}}, nopSink{})
	if sdk.KindOf(err) != sdk.KindGone {
		t.Errorf("error %v", err)
	}
}

func TestStopOfStoppedProcess(t *testing.T) {
	p := launch(t, command(t, "driver"))
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p.Stop(t.Context())
	if took := time.Since(begin); took > process.StopGrace+20*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if alive(p.PID()) {
		t.Error("still there")
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	c := command(t, "driver")
	// The other calls must be answered within that, too.
	c.Timeouts = process.Timeouts{Call: 2 * time.Second, Work: 2 * time.Second}
	p := launch(t, c)
	s := source(t, driver(t, p), "deaf", nil)
	_, err := s.Identity(t.Context())
	if sdk.KindOf(err) != sdk.KindGone || !strings.Contains(err.Error(), "did not answer for 2s") {
		t.Errorf("error %v", err)
	}
	<-p.Done()
}

func TestSlowReaderIsNotSilence(t *testing.T) {
	t.Parallel()
	c := command(t, "driver")
	c.Timeouts = process.Timeouts{Call: 2 * time.Second, Work: 2 * time.Second}
	s := source(t, driver(t, launch(t, c)), "x", nil)
	pause := time.NewTimer(4 * time.Second)
	sink := nopSink{entry: func(e *sdk.Entry) error {
		if e.Name == "file-00000000" {
			<-pause.C
		}
		return nil
	}}
	if err := s.Scan(t.Context(), sdk.ScanRequest{Dirs: []sdk.Path{"."}}, sink); err != nil {
		t.Error(err)
	}
}

func TestContextEnds(t *testing.T) {
	p := launch(t, command(t, "driver"))
	s := source(t, driver(t, p), "hang", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Identity(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Identity(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := s.Scan(ctx, sdk.ScanRequest{Dirs: []sdk.Path{"."}}, nopSink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if !alive(p.PID()) {
		t.Error("the end of a context killed the plugin")
	}
}

func TestSignalsDoNotEnd(t *testing.T) {
	p := launch(t, command(t, "driver"))
	s := source(t, driver(t, p), "x", nil)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(p.PID(), sig); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Identity(t.Context()); err != nil {
			t.Fatalf("after %s: %v", sig, err)
		}
	}
	if pgid, err := syscall.Getpgid(p.PID()); err != nil || pgid != p.PID() {
		t.Errorf("process group %d of %d: %v", pgid, p.PID(), err)
	}
}

func TestGroupGoesWithPlugin(t *testing.T) {
	p := launch(t, command(t, "driver"))
	id, err := source(t, driver(t, p), "child", nil).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	child := int(id.Root.Ino)
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	eventually(t, "end of the plugin's child", func() bool { return !alive(child) })
	p.Stop(t.Context())
}

// beHost starts a plugin, says its pid and waits to be killed.
func beHost() {
	p, err := process.Launch(context.Background(), process.Command{Path: os.Args[0], Args: []string{"driver"}, SocketDir: os.Args[2]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestHostKilled(t *testing.T) {
	dir := t.TempDir()
	socks, err := os.MkdirTemp("/tmp", "gs") //nolint:usetesting // its path would be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(socks) })
	exe := command(t, "").Path
	cmd := exec.Command(exe, "host", socks)
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("no plugin")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "end of the plugin of a killed host", func() bool { return !alive(pid) })
}

func TestLogLevels(t *testing.T) {
	var logs logBuffer
	c := command(t, "driver")
	c.Logger = logs.logger(slog.LevelInfo).With("plugin", "fake")
	d := driver(t, launch(t, c))
	for _, what := range []string{"log", "print"} {
		if _, err := source(t, d, what, nil).Identity(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wants := []string{
		`level=INFO msg="an info line" plugin=fake n=7`, `level=WARN msg="a warning" plugin=fake`,
		`level=ERROR msg="an error" plugin=fake`, `level=WARN msg="printed to stderr" plugin=fake`,
	}
	eventually(t, "all lines", func() bool {
		all := strings.Join(logs.all(), "")
		for _, want := range wants {
			if !strings.Contains(all, want) {
				return false
			}
		}
		return true
	})
	if all := strings.Join(logs.all(), ""); strings.Contains(all, "debug line") || strings.Contains(all, "level=DEBUG") {
		t.Errorf("log:\n%s", all)
	}
}

// An orderly end closes what is still open.
func TestStopClosesResources(t *testing.T) {
	var logs logBuffer
	c := command(t, "driver")
	c.Logger = logs.logger(slog.LevelInfo)
	p := launch(t, c)
	source(t, driver(t, p), "left-open", nil)
	p.Stop(t.Context())
	if err := p.Err(); err != nil {
		t.Errorf("end of the process: %v", err)
	}
	if all := strings.Join(logs.all(), ""); !strings.Contains(all, "what=left-open") {
		t.Errorf("log:\n%s", all)
	}
}

func TestManyAtOnce(t *testing.T) {
	c := command(t, "driver")
	errs := make(chan error)
	const n = 8
	for range n {
		go func() {
			p, err := process.Launch(t.Context(), c)
			if err == nil {
				_, err = p.Driver(t.Context())
				p.Stop(t.Context())
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
