package localtree

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

const (
	fineWindow   = 20 * time.Millisecond
	coarseWindow = 2 * time.Second
	// clockWindow is used with the machine's clock instead of the filesystem's:
	// two seconds for the coarsest filesystem, and what the clocks may differ.
	clockWindow = coarseWindow + 500*time.Millisecond
)

// beacon reads the clock by which the primary's filesystem stamps changes. It is
// a file without a name, so that the tree does not show it, where another
// machine or a server may have its own idea of the time. A filesystem of this
// kernel stamps with the machine's clock, which is read without touching
// anything: whoever listens for changes of the tree need not hear of each reading.
type beacon struct {
	mu     sync.Mutex
	file   *os.File // nil where the machine's clock is read
	window time.Duration
	fine   bool // nanoseconds are kept
}

// newBeacon makes the beacon of a tree. One that crosses mounts may hold
// filesystems with coarser change times than its root's: the window is then wide.
func newBeacon(root *localfs.Root, crossMounts bool) *beacon {
	b := &beacon{window: clockWindow, fine: true}
	defer func() {
		if crossMounts {
			b.window = clockWindow
		}
	}()
	fs, err := root.Filesystem()
	if err != nil {
		return b
	}
	d, err := root.OpenPath(sdk.Root)
	if err != nil {
		return b
	}
	defer d.Close()
	if b.file, err = d.CreateUnnamed(); err != nil {
		b.file = nil
		return b
	}
	b.window = coarseWindow
	b.fine = keepsNanoseconds(b.file)
	if !fs.Local() {
		return b
	}
	if b.fine && quick(b.touch) {
		b.window = fineWindow
	}
	if b.ofMachine(b.touch, machineClock) {
		b.close()
		b.file = nil
	}
	return b
}

// clockTries is how often a change time may not fit the machine's clock. A journal
// that stalls makes one look old: it is given before that, and read after it. A
// filesystem with a clock of its own fits at no try.
const clockTries = 5

// ofMachine reports whether change times that touch gives are of the clock that now
// reads. They may be a tick old, half the window at most.
func (b *beacon) ofMachine(touch, now func() (sdk.Time, error)) bool {
	for range clockTries {
		stamp, err := touch()
		if err != nil {
			return false
		}
		read, err := now()
		if err != nil {
			return false
		}
		if stamp.Compare(read) <= 0 && stamp.Compare(read.Add(-int64(b.window/2))) >= 0 {
			return true
		}
	}
	return false
}

// still reports whether reading the clock touches nothing.
func (b *beacon) still() bool { return b.file == nil }

// machineClock is not the coarse clock: a change time may be finer than that and
// after it.
func machineClock() (sdk.Time, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return sdk.Time{}, sdk.NewError("read clock", "", err)
	}
	return sdk.Time{Sec: ts.Sec, Nsec: uint32(ts.Nsec)}, nil
}

// quick reports whether change times that touch gives move more often than fineWindow
// is long. One move proves nothing: of a clock that moves each second, that may fall into
// the measurement, and soon would on a machine that is busy. Between two there is a whole
// tick.
func quick(touch func() (sdk.Time, error)) bool {
	for range clockTries {
		start, moves := time.Now(), 0
		last, err := touch()
		for err == nil && moves < 2 && time.Since(start) <= fineWindow {
			var now sdk.Time
			if now, err = touch(); now != last {
				moves++
			}
			last = now
		}
		switch {
		case err != nil:
			return false
		case moves == 2 && time.Since(start) <= fineWindow:
			return true
		}
	}
	return false
}

// touch changes the file and returns the change time it got.
func (b *beacon) touch() (sdk.Time, error) {
	fd := int(b.file.Fd())
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if err := unix.UtimesNanoAt(fd, "", now, unix.AT_EMPTY_PATH); err != nil {
		return sdk.Time{}, err
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_CTIME, &st); err != nil {
		return sdk.Time{}, err
	}
	return sdk.Time{Sec: st.Ctime.Sec, Nsec: st.Ctime.Nsec}, nil
}

func (b *beacon) read() (sdk.Beacon, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		now, err := machineClock()
		return sdk.Beacon{Now: now, Window: b.window}, err
	}
	now, err := b.touch()
	if err != nil {
		return sdk.Beacon{}, sdk.NewError("touch beacon", "", err)
	}
	return sdk.Beacon{Now: now, Window: b.window}, nil
}

func (b *beacon) close() {
	if b.file != nil {
		b.file.Close()
	}
}

// keepsNanoseconds sets a time on f and looks at what became of it.
func keepsNanoseconds(f *os.File) bool {
	const nsec = 123456789
	fd := int(f.Fd())
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: 1e9, Nsec: nsec}}
	if unix.UtimesNanoAt(fd, "", ts, unix.AT_EMPTY_PATH) != nil {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mtim.Nsec == nsec
}
