package watch

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUsedUp: the kernel lets fewer directories be watched than its limit says, since
// others use it up or a container has its own.
func TestUsedUp(t *testing.T) {
	const inside, limit = "GSYNCD_TEST_USED_UP", "/proc/sys/user/max_inotify_watches"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUsedUp$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
			t.Skipf("SKIPPED, NOT TESTED: no user namespaces here: %v", err)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS: TestUsedUp") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := os.WriteFile(limit, []byte("3"), 0); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, t.TempDir(), Inotify)
	r.write("a/b/c/d/f", "")
	r.open()
	select {
	case err := <-r.deaf:
		if want := "no more than 3 directories can be watched"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "other programs") {
			t.Errorf("%v, want %q", err, want)
		}
	case <-time.After(time.Minute):
		t.Error("it was not told that the events fail")
	}
}
