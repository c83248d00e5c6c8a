package mirror_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
)

const (
	childEnv = "GSYNCD_TEST_UNPRIVILEGED"
	nobody   = 65534
)

// TestUnprivileged runs TestUnprivilegedChild as a user without any rights, on
// trees that it owns.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root, to become somebody else; TestUnprivilegedChild runs as it is")
	}
	base, err := os.MkdirTemp("", "gsyncd-unprivileged-") //nolint:usetesting // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chown(base, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(base, "test")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"direct", "streamed"} {
		foreign := filepath.Join(base, "foreign")
		if err := os.WriteFile(foreign, []byte("somebody else's"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^TestUnprivilegedChild$", "-test.v")
		cmd.Dir = base
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + base, "HOME=" + base, childEnv + "=" + way}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", way, err, out)
		}
	}
}

// TestUnprivilegedChild mirrors what a plain user may have: all that can be set
// is set, what cannot be is told once and is no problem, and directories that
// deny their owner are mirrored like others.
func TestUnprivilegedChild(t *testing.T) {
	way := os.Getenv(childEnv)
	if os.Geteuid() == 0 {
		t.Skip("run by TestUnprivileged")
	}
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
