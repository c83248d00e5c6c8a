package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestKilledAtTheMoment kills everything at the moments that matter, between two
// steps of one change whose order is what keeps marks from lying. The event of the
// change is read by then, and comes no more. The next start finds it all the same.
func TestKilledAtTheMoment(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root")
	}
	setMark := []int{unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR}
	for _, m := range []struct {
		name  string
		calls []int
		at    func(*place, *halted) bool
		there bool // the change is on the secondary by then
	}{
		{"event read, index not written", []int{unix.SYS_PWRITE64}, func(pl *place, h *halted) bool {
			return strings.HasPrefix(h.file(0), pl.state) && filepath.Base(h.file(0)) == "index"
		}, false},
		{"index written, not durable", []int{unix.SYS_FDATASYNC}, func(pl *place, h *halted) bool {
			return strings.HasPrefix(h.file(0), pl.state)
		}, false},
		{"data there, not durable", []int{unix.SYS_SYNCFS}, func(pl *place, h *halted) bool {
			return strings.HasPrefix(h.file(0), pl.s)
		}, false},
		{"data durable, without its name", []int{unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2}, func(pl *place, h *halted) bool {
			return h.file(2) == filepath.Join(pl.s, "d") && h.text(3) == "f"
		}, false},
		{"data in its place, no mark", setMark, func(pl *place, h *halted) bool {
			return h.marks(filepath.Join(pl.s, "d"))
		}, true},
		{"mark of the directory, none above", setMark, func(pl *place, h *halted) bool {
			return h.marks(pl.s)
		}, true},
	} {
		for _, detector := range []string{"fanotify", "inotify"} {
			t.Run(m.name+" "+detector, func(t *testing.T) {
				t.Parallel()
				pl := newPlace(t)
				pl.write(t, "d/f", []byte("old"))
				pl.write(t, "e/g", []byte("other"))
				config := pl.config(t, "schedule { detector = \""+detector+"\" }\n transfer \"stream\" {}")
				there := func() bool {
					data, _ := os.ReadFile(filepath.Join(pl.s, "d/f"))
					return string(data) == "new"
				}
				var armed atomic.Bool
				cmd := pl.command("run", "--state-dir", pl.state, "-c", config)
				h, reached := startHalting(t, cmd, m.calls, func(call *halted) bool {
					return armed.Load() && m.at(pl, call) && there() == m.there
				})
				h.until("in sync", func() bool { return pl.inSync(t) && h.said(`msg="in sync"`) > 0 })
				mark := rootMark(t, pl.s)
				armed.Store(true)
				next := filepath.Join(pl.dir, "next")
				check(t, os.WriteFile(next, []byte("new"), 0o644))
				check(t, os.Rename(next, filepath.Join(pl.p, "d/f")))
				h.until("the moment", func() bool {
					select {
					case <-reached:
						return true
					default:
						return false
					}
				})
				for _, p := range pl.processes(t) {
					p.signal(syscall.SIGKILL)
				}
				<-h.done
				pl.noProcess(t)
				if there() != m.there {
					t.Errorf("the change is on the secondary: %v", !m.there)
				}
				if rootMark(t, pl.s) != mark {
					t.Error("the root's mark tells of the change already")
				}
				again := pl.start(t, "-c", config)
				again.until("the change arrives", func() bool { return pl.inSync(t) && again.said(`msg="in sync"`) > 0 })
				again.stop(syscall.SIGTERM)
				if rootMark(t, pl.s) == mark {
					t.Error("the root's mark does not tell of the change")
				}
				pl.clean(t)
			})
		}
	}
}

// marks reports whether the call sets the mark of a directory.
func (h *halted) marks(dir string) bool {
	at := h.path(0)
	if h.nr == unix.SYS_FSETXATTR {
		at = h.file(0)
	}
	return at == dir && strings.Contains(h.text(1), sdk.ReservedXattr)
}

// rootMark is the mark of a secondary's root.
func rootMark(t *testing.T, root string) string {
	t.Helper()
	names, err := xattr.LList(root)
	check(t, err)
	for _, name := range names {
		if strings.Contains(name, sdk.ReservedXattr) {
			value, err := xattr.LGet(root, name)
			check(t, err)
			return string(value)
		}
	}
	t.Fatal("the root has no mark")
	return ""
}
