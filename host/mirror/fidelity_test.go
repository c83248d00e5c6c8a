package mirror_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: needs root: owners, devices and trusted attributes")
	}
}

// both runs a test with each way of moving data.
func both(t *testing.T, f func(t *testing.T, r *rig)) {
	for _, streamed := range []bool{false, true} {
		t.Run(fmt.Sprintf("streamed=%v", streamed), func(t *testing.T) {
			r := newRig(t)
			r.streamed = streamed
			f(t, r)
		})
	}
}

// twice syncs, compares, and makes sure that a second run finds nothing to do.
func (r *rig) twice() {
	r.t.Helper()
	r.sync()
	r.equal()
	if s := r.sync(); s.Done.Visited != 0 || s.Done.Files != 0 {
		r.t.Errorf("a second run found something to do: %+v", s.Done)
	}
}

func TestFidelityOfEverything(t *testing.T) {
	asRoot(t)
	both(t, func(t *testing.T, r *rig) {
		r.sh(`mkdir -p dir/sub other
			echo a >dir/a; ln dir/a other/linked; ln dir/a dir/sub/linked
			ln -s ../dir/a other/sym; ln -s /nowhere/at/all dangling; touch -h -d '2001-02-03 04:05:06.123456789' dangling other/sym
			mkfifo -m 640 fifo; mknod char c 1 3; mknod block b 7 200; chmod 604 char
			echo s >suid; chown 12345:54321 suid; chmod 6755 suid
			chown -h 77:88 dangling fifo block
			mkdir sticky sgid; chmod 1777 sticky; chmod 2775 sgid; chown 5:6 sgid
			echo t >old; touch -d '1905-06-07 08:09:10.5' old; echo t >y2039; touch -d '2039-01-01 00:00:00.25' y2039
			echo t >y2200; touch -d '2200-01-01' y2200
			setfattr -n user.one -v 1 dir/a; setfattr -n user.empty dir/a; setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" dir
			setfattr -n trusted.t -v 2 dir/a; setfattr -h -n trusted.link -v 3 dangling; setfattr -n trusted.fifo -v 4 fifo
			setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 suid
			setfacl -m u:1234:rwx,g:99:r old; setfacl -m u:1:rwx -m d:u:2:rx sgid; setfacl -m u:3:w,m::rw sticky
			touch -d '1999-12-31 23:59:59.999999999' dir/sub dir sticky sgid other`)
		r.socket("sock")
		r.twice()
		r.sh("chown 1:2 suid; chmod 4711 suid; setfacl -b sgid; setfattr -x user.one dir/a; setfattr -h -x trusted.link dangling; touch -h -d '1980-01-01 01:01:01.1' fifo dangling; chmod 0 other")
		r.twice()
	})
}

func (r *rig) socket(name string) {
	r.t.Helper()
	if err := unix.Mknod(filepath.Join(r.primary, name), unix.S_IFSOCK|0o755, 0); err != nil {
		r.t.Fatal(err)
	}
}

func TestFidelityOfSparseFiles(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		full := filepath.Join(r.primary, "sparse")
		f, err := os.Create(full)
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []int64{0, 5 << 20, 40<<20 - 3} {
			if _, err := f.WriteAt([]byte("data"), off); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(64 << 20); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		r.sh("truncate -s 96M hole; : >empty")
		r.sync()
		for _, name := range []string{"sparse", "hole", "empty"} {
			var p, s syscall.Stat_t
			if err := syscall.Stat(filepath.Join(r.primary, name), &p); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Stat(filepath.Join(r.secondary, name), &s); err != nil {
				t.Fatal(err)
			}
			if p.Size != s.Size || s.Blocks > p.Blocks+64 {
				t.Errorf("%s: %d bytes in %d blocks, want %d bytes in %d blocks", name, s.Size, s.Blocks, p.Size, p.Blocks)
			}
		}
		r.sh("rm hole")
		r.twice()
	})
}

func TestFidelityOfNames(t *testing.T) {
	both(t, func(t *testing.T, r *rig) {
		r = r.inMemory()
		for b := 1; b < 256; b++ {
			if b == '/' {
				continue
			}
			name := string([]byte{byte(b)})
			if name == "." {
				name = ".." + name
			}
			if err := os.WriteFile(filepath.Join(r.primary, name), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(r.primary, "d"+name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("ä", 127), "...", "-rf *", "a\nb", ".gsyncd-hostile"} {
			r.write(name, name)
			r.write("d"+name[:min(len(name), 200)]+"/"+name, name)
		}
		r.twice()
	})
}

// TestFidelityOfDepth mirrors a path longer than any one system call can name.
func TestFidelityOfDepth(t *testing.T) {
	r := newRig(t)
	const levels, name = 60, 200
	fd, err := unix.Open(r.primary, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range levels {
		dir := fmt.Sprintf("%03d%s", i, strings.Repeat("d", name-3))
		if err := unix.Mkdirat(fd, dir, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, dir, unix.O_DIRECTORY, 0)
		_ = unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	write := func(data string) {
		f, err := unix.Openat(fd, "deep", unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = unix.Write(f, []byte(data))
		_ = unix.Close(f)
		if err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = unix.Close(fd) }()
	for _, data := range []string{"deep", "deeper", "deepest"} {
		write(data)
		r.sync()
		// The walk down is by hand: no path of this length can be opened.
		at, err := unix.Open(r.secondary, unix.O_DIRECTORY, 0)
		for i := 0; i < levels && err == nil; i++ {
			var next int
			next, err = unix.Openat(at, fmt.Sprintf("%03d%s", i, strings.Repeat("d", name-3)), unix.O_DIRECTORY, 0)
			_ = unix.Close(at)
			at = next
		}
		if err != nil {
			t.Fatalf("walk down the secondary: %v", err)
		}
		f, err := unix.Openat(at, "deep", unix.O_RDONLY, 0)
		_ = unix.Close(at)
		if err != nil {
			t.Fatalf("open the deep file: %v", err)
		}
		b := make([]byte, 100)
		n, _ := unix.Read(f, b)
		_ = unix.Close(f)
		if string(b[:n]) != data {
			t.Fatalf("the deep file holds %q, want %q", b[:n], data)
		}
	}
	r.sh("rm -r *; echo k >k")
	r.twice()
}

func TestFidelityOfALargeDirectory(t *testing.T) {
	r := newRigAt(t, memoryDir(t))
	const files = 20_000
	dir := filepath.Join(r.primary, "large")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.sync()
	if got, want := describeNames(t, filepath.Join(r.secondary, "large")), describeNames(t, dir); got != want {
		t.Error("the names differ")
	}
	r.sh("rm large/1*; echo x >large/2")
	r.sync()
	if got, want := describeNames(t, filepath.Join(r.secondary, "large")), describeNames(t, dir); got != want {
		t.Error("the names differ after a change")
	}
}
