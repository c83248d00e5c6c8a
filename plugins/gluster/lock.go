package gluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// lockName is the file in the root of a secondary that its mirror holds a lock
// on. It is not shown to the host.
const lockName = sdk.ReservedPrefix + "lock"

// volumeLock holds a secondary against other mirrors: on this machine by a lock
// of the kernel, and between machines by one that the bricks keep. The latter is
// lost if all bricks are started anew; check takes it again.
type volumeLock struct {
	mnt  string
	name string   // of the volume, for people
	here *os.File // this machine's
	file *os.File // the volume's
}

func lockVolume(dir string, m *mount, id sdk.UUID) (*volumeLock, error) {
	l := &volumeLock{mnt: m.tree(), name: m.volume}
	if err := l.lockHere(filepath.Join(dir, "lock."+id.String())); err != nil {
		return nil, err
	}
	if err := l.lockVolume(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *volumeLock) busy(who string) error {
	return &sdk.Error{Kind: sdk.KindBusy, Op: "lock", Msg: "another mirror writes to the volume " + l.name + who}
}

func (l *volumeLock) lockHere(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return sdk.NewError("lock", "", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if err != unix.EWOULDBLOCK {
			return sdk.NewError("lock "+path, "", err)
		}
		who := " on this machine"
		if b, err := os.ReadFile(path); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				who = " (process " + strconv.Itoa(pid) + ")"
			}
		}
		return l.busy(who)
	}
	l.here = f
	// Who holds it is for people to know.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return nil
}

// lockVolume locks the file that has the name now.
func (l *volumeLock) lockVolume() error {
	path := filepath.Join(l.mnt, lockName)
	for range 10 {
		f, err := l.open(path)
		if err != nil {
			return sdk.NewError("open the volume's lock", "", err)
		}
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == unix.EAGAIN || err == unix.EACCES {
			f.Close()
			return l.busy(" from another machine")
		}
		var have, there unix.Stat_t
		if err == nil {
			err = unix.Fstat(int(f.Fd()), &have)
		}
		if err == nil {
			err = unix.Lstat(path, &there)
		}
		if err == nil && have.Ino == there.Ino {
			l.file.Close()
			l.file = f
			return nil
		}
		f.Close()
		if err != nil && err != unix.ENOENT && err != unix.ESTALE {
			return sdk.NewError("lock the volume", "", err)
		}
	}
	return &sdk.Error{Kind: sdk.KindTransient, Op: "lock the volume", Msg: "somebody removes the file " + lockName}
}

// open opens the lock's file. Where it must be made the root's time is put back.
func (l *volumeLock) open(path string) (*os.File, error) {
	const flags = os.O_RDWR | unix.O_NOFOLLOW | unix.O_CLOEXEC
	f, err := os.OpenFile(path, flags, 0)
	if !os.IsNotExist(err) {
		return f, err
	}
	defer keepTime(l.mnt)()
	return os.OpenFile(path, flags|os.O_CREATE, 0o600)
}

// check makes sure that the lock is still held.
func (l *volumeLock) check() error {
	err := unix.FcntlFlock(l.file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if err == nil {
		return nil
	}
	return l.lockVolume()
}

func (l *volumeLock) release() {
	if l == nil {
		return
	}
	if l.file != nil {
		// Who waits for it sees that, and makes another. If it stays, it stays.
		defer keepTime(l.mnt)()
		os.Remove(filepath.Join(l.mnt, lockName))
		l.file.Close()
	}
	l.here.Close()
}

// keepTime returns a function that puts the time of a directory back to what it
// is now.
func keepTime(dir string) func() {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return func() {}
	}
	return func() {
		// The host sets the time of a directory that it visits: this saves a visit.
		_ = unix.UtimesNanoAt(unix.AT_FDCWD, dir, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	}
}
