package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what takes moments on an idle machine.
const patience = 3 * time.Minute

// Example reads one of the configuration files beside the examples, with pairs of
// what it says and what is to stand there instead. Each must be in it.
func Example(t testing.TB, name string, pairs ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(data, []byte(pairs[i])) {
			t.Fatalf("%s does not say %s", name, pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(string(data))
}

// Mirror runs the host with a configuration until the test's end. It returns what
// the host has said so far.
func (p *Programs) Mirror(t testing.TB, configuration string) (said func() string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "m.hcl")
	text := fmt.Sprintf("host {\n  state_dir = %q\n}\n%s", filepath.Join(dir, "state"), configuration)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.Host(t), "run", "-c", conf)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "XDG_CACHE_HOME=" + p.cache()}
	out := &output{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the host ended with %v:\n%s", err, out)
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("the host did not end, and was killed (%v):\n%s", <-done, out)
		}
		if t.Failed() {
			t.Logf("the host said:\n%s", out)
		}
	})
	return out.String
}

// Check runs "plugin check" on a module, which must pass.
func (p *Programs) Check(t testing.TB, module string, args ...string) {
	t.Helper()
	cmd := exec.Command(p.Host(t), append([]string{"plugin", "check", module}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "XDG_CACHE_HOME=" + p.cache()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("plugin check: %v\n%s", err, out)
	}
}

// Become waits until a directory holds what another one does.
func Become(t testing.TB, dir, want string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		diff := Diff(want, dir)
		if diff == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the mirror did not become equal: %s", diff)
		}
	}
}

// Diff names the first difference between two directories: names, types, modes,
// times to the second, links, bytes.
func Diff(want, got string) string {
	a, err := entries(want)
	if err != nil {
		return err.Error()
	}
	b, err := entries(got)
	if err != nil {
		return err.Error()
	}
	for name, text := range a {
		if b[name] != text {
			return fmt.Sprintf("%q is %.200q and not %.200q", name, b[name], text)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			return fmt.Sprintf("%q is there", name)
		}
	}
	return ""
}

func entries(root string) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch info.Mode().Type() {
		case 0:
			var data []byte
			data, err = os.ReadFile(path)
			text += fmt.Sprintf(" %d %s", info.ModTime().Unix(), data)
		case fs.ModeSymlink:
			var to string
			to, err = os.Readlink(path)
			text += " " + to
		}
		rel, bad := filepath.Rel(root, path)
		out[rel] = text
		return errors.Join(err, bad)
	})
	return out, err
}

// output is what a program writes, to be read while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns what was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Inode tells whether a file was replaced.
func Inode(t testing.TB, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// Fill makes a small tree to be mirrored.
func Fill(t testing.TB, dir string) {
	t.Helper()
	at := time.Unix(1_500_000_000, 0)
	for name, data := range map[string]string{"docs/read me.txt": "first", "docs/same": "same", "large": strings.Repeat("0123456789abcdef", 3<<20/16), "gone": "gone"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(data), 0o640), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("docs", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
}

// Change changes it: a file to another of the same length and time, one is removed,
// one is new.
func Change(t testing.TB, dir string) {
	t.Helper()
	at := time.Unix(1_500_000_000, 0)
	path := filepath.Join(dir, "docs/read me.txt")
	err := errors.Join(os.WriteFile(path, []byte("FIRST"), 0o640), os.Chtimes(path, at, at), os.Remove(filepath.Join(dir, "gone")),
		os.WriteFile(filepath.Join(dir, "docs", "new"), []byte("new"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}
