package gluster

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	poll      = 10 * time.Millisecond
	upWithin  = 30 * time.Second // for a mount to come up
	busyFor   = 5 * time.Second  // that an unmount waits for who is in the tree
	endWithin = 5 * time.Second  // for glusterfs to end once it is unmounted
)

// mount is a volume mounted by a glusterfs process of our own: as an auxiliary
// client, which alone sees xtimes, and by which marks are set that shall not be
// taken for changes. The bricks serve such clients with a single thread and drop
// some of what they set; so all else goes through a second mount.
type mount struct {
	address
	data  *mount // the second; nil in itself
	place *place
	log   *slog.Logger
	pid   int
	ended chan struct{} // closed when the process has been reaped
	fate  error         // of the process, once ended is closed
	root  unix.Stat_t   // what is at the mount point
	seen  atomic.Pointer[bricks]
}

// fresh turns those caches off that a listing does not renew: a file that was
// just written elsewhere must not be read as it was. Attributes may be kept by
// the kernel, since single looks ask for new ones. The names begin with the
// volume's; options of what the volume does not use have no effect.
var fresh = []string{
	"--fopen-keep-cache=off",
	"--xlator-option=*-md-cache.pass-through=true",
	"--xlator-option=*-quick-read.max-file-size=0",
	"--xlator-option=*-io-cache.pass-through=true",
	"--xlator-option=*-readdir-ahead.pass-through=true",
	"--xlator-option=*-nl-cache.pass-through=true",
}

// settled keeps names and attributes longer than is the custom, where nobody else
// is expected to write. Listings show what is there all the same.
var settled = []string{"--entry-timeout=5", "--attribute-timeout=5"}

// auxiliary is for the mount by which marks are set and read. It keeps no names and
// no attributes: what it has under a path must be what the other one has.
var auxiliary = []string{
	"--client-pid=-1", "--acl",
	"--entry-timeout=0", "--attribute-timeout=0", "--negative-timeout=0",
	"--xlator-option=*-md-cache.pass-through=true",
	"--xlator-option=*-nl-cache.pass-through=true",
}

// newMounts mounts a volume in both ways, or says why that cannot be done.
func newMounts(ctx context.Context, dir string, a address, role sdk.Role, set settings, log *slog.Logger) (*mount, error) {
	options := []string{"--no-root-squash=yes", "--acl", "--xlator-option=*-io-threads.pass-through=true"}
	if role == sdk.Primary {
		options = append(options, fresh...)
	} else {
		options = append(options, settled...)
	}
	var data *mount
	var derr error
	var second sync.WaitGroup
	second.Go(func() { data, derr = newMount(ctx, dir, a, options, set, log) })
	m, err := newMount(ctx, dir, a, auxiliary, set, log)
	second.Wait()
	switch {
	case err == nil && derr == nil:
		m.data = data
		return m, nil
	case err == nil:
		m.close()
		return nil, derr
	case derr == nil:
		data.close()
	}
	return nil, err
}

// tree is the path by which files are reached.
func (m *mount) tree() string { return m.data.place.mount() }

// newMount mounts a volume once.
func newMount(ctx context.Context, dir string, a address, options []string, set settings, log *slog.Logger) (*mount, error) {
	p, err := newPlace(dir)
	if err != nil {
		return nil, sdk.NewError("mount volume "+a.volume, "", err)
	}
	m := &mount{address: a, place: p, log: log, ended: make(chan struct{})}
	args := []string{"--no-daemon", "--log-level=" + set.logLevel, "--log-file=" + p.log(),
		"--volfile-server=" + a.host, "--volfile-id=" + a.volume}
	if err := m.start(append(append(args, options...), p.mount())); err != nil {
		p.remove()
		return nil, sdk.NewError("start glusterfs", "", err)
	}
	if err := m.up(ctx); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// start starts the process. When this one dies it gets a signal, and unmounts.
func (m *mount) start(args []string) error {
	cmd := exec.Command("glusterfs", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the signal when the *thread* ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			m.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		defer close(m.ended)
		m.fate = cmd.Wait() // why it ended is in its log
	}()
	return <-started
}

// up waits until the tree can be used.
func (m *mount) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	seen := make(chan error, 1)
	look := func() { seen <- m.look() }
	go look()
	for {
		select {
		case err := <-seen:
			if err == nil {
				return nil
			}
			if err == unix.ENOTCONN && len(logged(m.place.log())) > 0 {
				return complaint(m.address, m.place.log(), false)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
			go look()
		case <-m.ended:
			var exit *exec.ExitError
			if errors.As(m.fate, &exit) && !exit.Exited() {
				return &sdk.Error{Kind: sdk.KindTransient, Op: "mount volume " + m.volume, Msg: "glusterfs was ended by a signal while it mounted: " + exit.String()}
			}
			return complaint(m.address, m.place.log(), true)
		case <-ctx.Done():
			return complaint(m.address, m.place.log(), false)
		}
	}
}

// look fails as long as the volume's root is not at the mount point.
func (m *mount) look() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(m.place.mount(), &fs); err != nil {
		return err
	}
	if fs.Type != unix.FUSE_SUPER_MAGIC {
		return unix.EAGAIN // not mounted yet
	}
	if err := unix.Lstat(m.place.mount(), &m.root); err != nil {
		return err
	}
	if m.root.Ino != 1 {
		return unix.EAGAIN
	}
	_, err := volumeMark(m.place.mount())
	if err == errNotIndexed { //nolint:errorlint // compared as it was returned
		return nil
	}
	return err
}

// check looks whether the mounts are there still.
func (m *mount) check() error {
	const op = "look at the mount"
	if m.data != nil {
		if err := m.data.check(); err != nil {
			return err
		}
	}
	select {
	case <-m.ended:
		return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "glusterfs has ended; " + complaint(m.address, m.place.log(), false).Msg}
	default:
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := unix.Statfs(m.place.mount(), &fs); err != nil {
		return sdk.NewError(op, "", err)
	}
	if err := unix.Lstat(m.place.mount(), &st); err != nil {
		return sdk.NewError(op, "", err)
	}
	if fs.Type != unix.FUSE_SUPER_MAGIC || st.Dev != m.root.Dev || st.Ino != m.root.Ino {
		return &sdk.Error{Kind: sdk.KindGone, Op: op, Msg: "the volume is no longer mounted"}
	}
	return nil
}

// close unmounts, waits for the process and removes the place. Nothing of the
// tree may be in use any more; who stays all the same loses it in the end.
func (m *mount) close() {
	if m.data != nil {
		m.data.close()
	}
	deadline := time.NewTimer(busyFor)
	defer deadline.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	err := m.unmount()
	for late := false; err == unix.EBUSY; err = m.unmount() {
		if late {
			m.log.Warn("the volume is still in use and is unmounted all the same", "volume", m.volume)
			m.place.unmount()
			err = nil
			break
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			late = true
		}
	}
	m.end(err == nil)
	m.place.unmount()
	m.place.remove()
}

func (m *mount) unmount() error { return unix.Unmount(m.place.mount(), unix.UMOUNT_NOFOLLOW) }

// end ends the process; told says that unmounting has told it to already.
func (m *mount) end(told bool) {
	signals := []syscall.Signal{0, syscall.SIGTERM, syscall.SIGKILL}
	if !told {
		signals = signals[1:]
	}
	for _, sig := range signals {
		if sig != 0 {
			// It is not reaped, so the number is still its own.
			_ = syscall.Kill(-m.pid, sig)
		}
		timer := time.NewTimer(endWithin)
		select {
		case <-m.ended:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
