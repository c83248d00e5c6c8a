package agent

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// rsyncFixture is a session with one job, and a program in the place of rsync.
type rsyncFixture struct {
	Rsync
	root string
	door *Door
	out  bytes.Buffer
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRsyncFixture(t *testing.T, script string) *rsyncFixture {
	t.Helper()
	// A short path, for the socket's sake.
	dir, err := os.MkdirTemp("", "gs") //nolint:usetesting // the path of a socket must be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const job = ".gsyncd-host.job-A"
	f := &rsyncFixture{root: filepath.Join(dir, "root")}
	must(t, errors.Join(os.MkdirAll(filepath.Join(f.root, job, sdk.JobOut), 0o700), os.MkdirAll(filepath.Join(f.root, job, sdk.JobBasis), 0o700)))
	bin := filepath.Join(dir, "bin")
	must(t, os.Mkdir(bin, 0o700))
	if script != "" {
		must(t, os.WriteFile(filepath.Join(bin, "rsync"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	p := &pinned{}
	p.target.Store(&f.root)
	token := NewToken()
	f.door, err = OpenDoor(dir, token, (&Agent{driver: p}).verbs(&session{ended: make(chan struct{})}), slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = f.door.Close() })
	f.Rsync = Rsync{
		Doors: dir, Token: token, Dir: job, Args: strings.Fields("--server -Ie.Lsf . out/"), Path: bin,
		Stdin: strings.NewReader(""), Stdout: &f.out, Stderr: &f.out,
	}
	return f
}

func TestRsyncServer(t *testing.T) {
	f := newRsyncFixture(t, `echo "$PWD $*"; echo made >out/1; exit 23`)
	t.Setenv("RSYNC_RSH", "secret")
	code, err := f.Run(t.Context())
	if code != 23 || err != nil {
		t.Errorf("code %d, %v\n%s", code, err, f.out.String())
	}
	if got, want := f.out.String(), filepath.Join(f.root, f.Dir)+" --server -Ie.Lsf . out/\n"; got != want {
		t.Errorf("it said %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(f.root, f.Dir, "out/1")); err != nil {
		t.Error(err)
	}
}

// TestRsyncServerConfined: even an rsync that does other things than rsync does.
func TestRsyncServerConfined(t *testing.T) {
	if abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		t.Skipf("SKIPPED, NOT TESTED: the kernel has no landlock (%d, %v)", abi, errno)
	}
	for name, script := range map[string]string{
		"write beside":          "echo x >../victim",
		"write outside":         "echo x >../../outside",
		"remove":                "/bin/rm ../victim",
		"rename":                "/bin/mv out ../away",
		"make a directory":      "/bin/mkdir out/d",
		"make a link":           "/bin/ln -s / out/l",
		"write through a link":  "echo x >planted",
		"read beside":           "read l <../victim",
		"read outside the root": "read l <../../secret",
	} {
		t.Run(name, func(t *testing.T) {
			f := newRsyncFixture(t, script+" && echo done")
			must(t, os.WriteFile(filepath.Join(f.root, "victim"), []byte("v\n"), 0o600))
			must(t, os.WriteFile(filepath.Join(f.root, "../secret"), []byte("s\n"), 0o600))
			must(t, os.Symlink("../victim", filepath.Join(f.root, f.Dir, "planted")))
			if _, err := f.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if said := f.out.String(); strings.Contains(said, "done") || said == "" {
				t.Errorf("it could: %s", said)
			}
			if data, err := os.ReadFile(filepath.Join(f.root, "victim")); err != nil || string(data) != "v\n" {
				t.Errorf("the victim is %q, %v", data, err)
			}
			if _, err := os.Stat(filepath.Join(f.root, "../outside")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was made outside: %v", err)
			}
		})
	}
	// The test's own threads are as free as before.
	runtime.Gosched()
	must(t, os.WriteFile(filepath.Join(t.TempDir(), "f"), nil, 0o600))
}

func TestRsyncRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rsyncFixture)
		kind   sdk.Kind
	}{
		"another session": {func(f *rsyncFixture) { f.Token = NewToken() }, sdk.KindNotExist},
		"no token":        {func(f *rsyncFixture) { f.Token = "../x" }, sdk.KindInput},
		"the root itself": {func(f *rsyncFixture) { f.Dir = "." }, sdk.KindInput},
		"no such job":     {func(f *rsyncFixture) { f.Dir += "B" }, sdk.KindNotExist},
		"a link": {func(f *rsyncFixture) {
			_ = os.Symlink("/", filepath.Join(f.root, ".gsyncd-host.job-L"))
			f.Dir = ".gsyncd-host.job-L"
		}, sdk.KindChanged},
		"a sender": {func(f *rsyncFixture) { f.Args = strings.Fields("--server --sender -Ie.Lsf . out/") }, sdk.KindPermission},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRsyncFixture(t, "echo ran")
			c.change(f)
			if _, err := f.Run(t.Context()); sdk.KindOf(err) != c.kind {
				t.Errorf("error %v of kind %s, want %s", err, sdk.KindOf(err), c.kind)
			}
			if f.out.Len() > 0 {
				t.Errorf("it ran: %s", f.out.String())
			}
		})
	}
	if _, err := newRsyncFixture(t, "").Run(t.Context()); !errors.Is(err, errNone) {
		t.Errorf("without a program: %v", err)
	}
}

// TestRsyncEndsWithSession: no server outlives its session.
func TestRsyncEndsWithSession(t *testing.T) {
	f := newRsyncFixture(t, "echo started >out/started; /bin/sleep 1000 & wait")
	ended := make(chan int, 1)
	go func() {
		code, err := f.Run(t.Context())
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	for {
		if _, err := os.Stat(filepath.Join(f.root, f.Dir, "out/started")); err == nil {
			break
		}
		runtime.Gosched()
	}
	must(t, f.door.Close())
	if code := <-ended; code != exitStopped {
		t.Errorf("code %d", code)
	}
}
