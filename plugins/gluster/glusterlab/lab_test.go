package glusterlab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// strandBase, when set in the environment, makes the test binary a process
// that starts a lab there and dies without a word.
const strandBase = "GLUSTERLAB_STRAND"

var shared Shared

func TestMain(m *testing.M) {
	if base := os.Getenv(strandBase); base != "" {
		strand(base)
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func TestLayouts(t *testing.T) {
	for _, layout := range []Layout{One, Dist2, Rep3, Disp3} { // Rep2 has TestBricks
		t.Run(layout.String(), func(t *testing.T) {
			t.Parallel()
			vol := shared.Lab(t).Volume(t, "pop-"+layout.String(), layout)
			vol.Index(t, true)
			dir, aux := vol.Mount(t), vol.MountAux(t)
			content := []byte("written through " + layout.String())
			must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "d", "f"), content, 0o644))

			got, err := os.ReadFile(filepath.Join(aux, "d", "f"))
			must(t, err)
			if !bytes.Equal(got, content) {
				t.Errorf("read %q, want %q", got, content)
			}
			mark := attribute(t, aux, "trusted.glusterfs.volume-mark")
			if len(mark) != 27 || fmt.Sprintf("%x", mark[2:18]) != strings.ReplaceAll(vol.UUID(), "-", "") {
				t.Errorf("volume mark %x of volume %s", mark, vol.UUID())
			}
			for _, p := range []string{"", "d", "d/f"} { // the root's mark comes last
				name := "trusted.glusterfs." + vol.UUID() + ".xtime"
				if x := attribute(t, filepath.Join(aux, p), name); len(x) != 8 || binary.BigEndian.Uint32(x) == 0 {
					t.Errorf("xtime of %q is %x", p, x)
				}
			}
			if _, err := unix.Lgetxattr(dir, "trusted.glusterfs.volume-mark", make([]byte, 64)); !errors.Is(err, unix.ENODATA) {
				t.Errorf("a normal mount reads the volume mark: %v", err)
			}
		})
	}
}

func TestBricks(t *testing.T) {
	t.Parallel()
	vol := shared.Lab(t).Volume(t, "bricks", Rep2)
	dir := vol.Mount(t)
	vol.KillBrick(t, 1)
	if vol.BrickPID(t, 1) != 0 || vol.BrickPID(t, 0) == 0 {
		t.Fatal("the wrong brick is down")
	}
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("one copy"), 0o644))
	vol.RestartBrick(t, 1)
	vol.HealFull(t)
	got, err := os.ReadFile(filepath.Join(vol.BrickDir(1), "f"))
	must(t, err)
	if string(got) != "one copy" {
		t.Errorf("healed to %q", got)
	}
}

func TestStopAndStart(t *testing.T) {
	t.Parallel()
	vol := shared.Lab(t).Volume(t, "stops", One)
	dir := vol.Mount(t)
	must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
	vol.Stop(t)
	Await(t, "mount notices", func() error {
		if _, err := os.Stat(filepath.Join(dir, "g")); !errors.Is(err, unix.ENOTCONN) {
			return fmt.Errorf("stat: %v", err)
		}
		return nil
	})
	vol.Start(t)
	Await(t, "mount comes back", func() error {
		_, err := os.Stat(filepath.Join(dir, "f"))
		return err
	})
}

// TestLeavesNothing ends a lab with a brick that was killed and a glusterd that was
// gone for a while.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	var dir string
	var sockets []string
	t.Run("use", func(t *testing.T) {
		lab := New(t, Options{})
		dir = lab.Dir()
		vol := lab.Volume(t, "pop", Dist2)
		at := vol.Mount(t)
		lab.StopGlusterd(t)
		must(t, os.WriteFile(filepath.Join(at, "f"), nil, 0o644))
		lab.StartGlusterd(t)
		vol.Set(t, "performance.quick-read", "off")
		vol.KillBrick(t, 0)
		var err error
		sockets, err = socketsOf(dir)
		must(t, err)
		if len(sockets) < 2 {
			t.Errorf("sockets %q, want those of both bricks", sockets)
		}
	})
	checkGone(t, dir, sockets)
}

// TestDeadOwner kills the owner of a lab while a volume is mounted.
func TestDeadOwner(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), strandBase+"="+base)
	owner.Stderr = t.Output()
	out, err := owner.Output()
	if err == nil {
		t.Fatal("the owner ended well")
	}
	dir := strings.TrimSpace(string(out))
	t.Cleanup(func() { must(t, Reap(base)) })
	left, err := processes(dir)
	must(t, err)
	at, err := mountsIn(dir)
	must(t, err)
	if len(left) != 3 || len(at) != 1 { // glusterd, a brick, a mount
		t.Fatalf("the dead owner left processes %v and mounts %q", left, at)
	}
	sockets, err := socketsOf(dir)
	must(t, err)
	next := New(t, Options{Base: base})
	if next.Dir() != dir {
		checkGone(t, dir, sockets)
	}
	now, err := processes(next.Dir())
	must(t, err)
	if len(now) != 1 {
		t.Errorf("the next lab has processes %v, want its glusterd", now)
	}
	// A live owner's lab stays.
	must(t, Reap(base))
	if _, err := next.gluster("volume", "list"); err != nil {
		t.Error(err)
	}
}

func strand(base string) {
	lab, err := Start(Options{Base: base})
	if err == nil {
		err = lab.strand()
	}
	fmt.Fprintln(os.Stderr, "strand:", err)
	os.Exit(0)
}

func (l *Lab) strand() error {
	vol := &Volume{lab: l, name: "pop", layout: One}
	if err := vol.create(); err != nil {
		return err
	}
	if _, err := l.gluster("volume", "start", "pop"); err != nil {
		return err
	}
	at := l.path("mnt", "pop")
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	if _, err := run("glusterfs", "-s", l.address, "--volfile-id=pop", "-l", l.path("log", "mount.log"), "-p", l.path("run", "mount.pid"), at); err != nil {
		return err
	}
	fmt.Println(l.dir)
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

func checkGone(t *testing.T, dir string, sockets []string) {
	t.Helper()
	left, err := processes(dir)
	must(t, err)
	at, err := mountsIn(dir)
	must(t, err)
	if len(left)+len(at) > 0 {
		t.Errorf("left processes %v, mounts %q", left, at)
	}
	for _, p := range append(sockets, dir) {
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", p, err)
		}
	}
}

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	value := make([]byte, 64)
	var n int
	Await(t, name, func() error { // marking follows the change
		var err error
		n, err = unix.Lgetxattr(path, name, value)
		return err
	})
	return value[:n]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
