package mirror_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/host/watch"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	childEnv = "GSYNCD_TEST_UNPRIVILEGED"
	nobody   = 65534
)

// user runs one of these tests as a user without any rights, in a directory that it
// owns, which is made.
type user struct {
	t    *testing.T
	base string
}

func newUser(t *testing.T) *user {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root, to become somebody else; its child runs as it is")
	}
	base, err := os.MkdirTemp("", "gsyncd-unprivileged-") //nolint:usetesting // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	u := &user{t, base}
	u.own(base)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	// No process may begin meanwhile: it would hold the program open for writing.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(u.exe(), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *user) exe() string { return filepath.Join(u.base, "test") }

// own gives a directory to the user.
func (u *user) own(dir string) {
	u.t.Helper()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		u.t.Fatal(err)
	}
}

// run runs a test that is told what is wanted.
func (u *user) run(test, what string) {
	u.t.Helper()
	cmd := exec.Command(u.exe(), "-test.run=^"+test+"$", "-test.v", fmt.Sprintf("-seed=%d", *model.seed), fmt.Sprintf("-steps=%d", *model.steps))
	cmd.Dir = u.base
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + u.base, "HOME=" + u.base, childEnv + "=" + what}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		u.t.Errorf("%s: %v\n%s", what, err, out)
	} else if !bytes.Contains(out, []byte("--- PASS: "+test)) {
		u.t.Errorf("%s did not run:\n%s", test, out)
	}
}

// child tells what a test that runs as such a user is to do; nothing if nobody asked
// for it.
func child(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("run by another test, as another user")
	}
	return os.Getenv(childEnv)
}

// TestUnprivileged runs TestUnprivilegedChild as a user without any rights, on
// trees that it owns.
func TestUnprivileged(t *testing.T) {
	u := newUser(t)
	for _, way := range []string{"direct", "streamed"} {
		if err := os.WriteFile(filepath.Join(u.base, "foreign"), []byte("somebody else's"), 0o644); err != nil {
			t.Fatal(err)
		}
		u.run("TestUnprivilegedChild", way)
	}
}

// TestUnprivilegedChild mirrors what a plain user may have: all that can be set
// is set, what cannot be is told once and is no problem, and directories that
// deny their owner are mirrored like others.
func TestUnprivilegedChild(t *testing.T) {
	way := child(t)
	r := newRig(t)
	r.streamed = way == "streamed"
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+rwx", filepath.Dir(r.primary)).Run() })
	r.sh(`mkdir -p d/sub closed/in writeonly keep
		echo 1 >d/1; echo 2 >d/sub/2; ln d/1 d/sub/link; ln -s nowhere d/sym; mkfifo d/fifo; echo x >closed/in/f; echo y >closed/g
		chmod 4755 d/1; chmod 0400 d/sub/2; setfattr -n user.a -v b d/sub; chmod 1777 keep
		setfacl -m u:1:r d/sub/2 || true
		touch -d '1999-01-01 01:01:01.123456789' d/sub d/sym; chmod 0555 closed/in closed`)
	r.twice()
	r.sh("chmod 755 closed closed/in; echo new >closed/in/f; rm closed/g; touch -d 1998-01-01 closed/in/f; chmod 0555 closed/in closed; chmod 0500 d/sub")
	r.twice()
	r.sh("chmod -R u+w closed d; mv closed d/moved; chmod 0555 d/moved")
	r.twice()
	r.sh("chmod -R u+w d; rm -r d/moved")
	r.twice()
	s := r.tracker.Snapshot()
	if s.ProblemCount != 0 {
		t.Errorf("problems: %+v", s.Problems)
	}
	// A directory that its owner may enter but not list is a problem of the
	// primary, and stops nothing else.
	r.sh("echo z >writeonly/z; chmod 0300 writeonly; echo after >d/after")
	err := r.run(mirror.Options{Once: true})
	if err == nil || !r.exists("d/after") {
		t.Errorf("run: %v; d/after arrived: %v", err, r.exists("d/after"))
	}
	if p := r.tracker.Snapshot().Problems; len(p) != 1 || p[0].Path != "writeonly" {
		t.Errorf("problems %+v, want writeonly alone", p)
	}
	r.sh("chmod 0755 writeonly")
	r.twice()
	// Another's file cannot keep its owner: said once, and in sync all the same.
	r.sh("if test -e $HOME/foreign; then mv $HOME/foreign d/foreign; else exit 0; fi")
	if s := r.sync(); !r.exists("d/foreign") || len(s.Notices) != 1 || s.ProblemCount != 0 {
		t.Errorf("notices %q, problems %+v; want one notice about owners", s.Notices, s.Problems)
	}
	if s := r.sync(); s.Done.Visited != 0 {
		t.Errorf("a second run found something to do: %+v", s.Done)
	}
}

// TestUnreadable runs TestUnreadableChild as a user whom rights can be denied.
func TestUnreadable(t *testing.T) { newUser(t).run("TestUnreadableChild", "events") }

// TestUnreadableChild takes the right to read a directory away while the mirror
// follows events. That is a problem of the directory: what it holds stays, all else
// goes on, and when it can be read again an event tells.
func TestUnreadableChild(t *testing.T) {
	child(t)
	r := newRigAt(t, memoryDir(t))
	r.events = watch.Inotify
	r.retry = mirror.Retry{Min: time.Hour, Max: time.Hour} // nothing but events is to heal it
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(r.primary, "d/locked"), 0o700) })
	r.sh("mkdir -p d/locked/in e; echo 1 >d/locked/f; echo 2 >d/locked/in/g; echo 3 >e/h")
	ctx, _ := r.follow()
	r.still(ctx)
	for round, mode := range []string{"000", "0300"} { // closed; and to be entered, but not listed
		r.sh("chmod " + mode + " d/locked; echo changed >e/h; mkdir -p e/new; echo n >e/new/n")
		r.await(ctx, func(s report.Snapshot) bool {
			return len(s.Problems) == 1 && s.Problems[0].Path == "d/locked" && s.Problems[0].Kind == sdk.KindPermission && s.Problems[0].Side == sdk.Primary
		})
		r.sh("echo again >e/h; echo x >d/x")
		r.await(ctx, func(report.Snapshot) bool {
			data, _ := os.ReadFile(filepath.Join(r.secondary, "e/h"))
			return string(data) == "again\n" && r.exists("d/x")
		})
		for _, f := range []string{"d/locked/f", "d/locked/in/g"} {
			if !r.exists(f) {
				t.Errorf("mode %s: %s is gone: what cannot be read was taken for empty", mode, f)
			}
		}
		r.sh("chmod 0700 d/locked")
		quick, cancel := context.WithTimeout(ctx, time.Minute)
		r.await(quick, func(s report.Snapshot) bool { return s.State == report.InSync && s.ProblemCount == 0 })
		cancel()
		r.sh(fmt.Sprintf("echo heard >d/locked/in/g; echo %d >d/locked/new; rm -r d/x e/new", round))
		r.same(ctx, "what was closed is open again")
	}
}
