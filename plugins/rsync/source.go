package rsync

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// source is one file of a batch on its way through rsync.
type source struct {
	file   sdk.File
	open   *os.File
	before sdk.Entry
	moved  int64 // as rsync counts it
	sent   bool  // rsync said that it is through with it
	told   bool  // its result was handed out
}

// openSource opens and looks at a file of the primary. Whatever stands under
// the file's name from now on, what was opened is what will be read.
func openSource(root *localfs.Root, f sdk.File) (*source, error) {
	fd, err := root.OpenFile(f.Path)
	if err != nil {
		return nil, err
	}
	s := &source{file: f, open: fd}
	if err := s.look(root); err != nil {
		return nil, errors.Join(err, fd.Close())
	}
	return s, nil
}

// young is for how long a change of a file may still be on its way to the disk.
const young = 60 * time.Second

// look notes what the file is before rsync reads it.
//
// A store through a mapping moves no time while its page waits to be written
// back; once it was, the next one does. So a file that changed lately is
// written back first, until two looks in a row agree, or the look afterwards
// would prove nothing. Older changes have been written back by themselves.
func (s *source) look(root *localfs.Root) error {
	e, err := root.StatFile(s.open)
	if err != nil {
		return err
	}
	if !s.file.ID.IsZero() && e.ID != s.file.ID {
		return &sdk.Error{Kind: sdk.KindChanged, Op: "open", Path: s.file.Path, Msg: "another file is there now"}
	}
	for range 4 {
		s.before = e
		if time.Since(time.Unix(e.Ctime.Sec, int64(e.Ctime.Nsec))) > young {
			return nil
		}
		const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		_ = unix.SyncFileRange(int(s.open.Fd()), 0, 0, all)
		// A write moves the time first and the data after. This waits for one
		// that is under way, on filesystems that lock the file for both.
		_, _ = unix.Seek(int(s.open.Fd()), 0, unix.SEEK_DATA)
		if e, err = root.StatFile(s.open); err != nil || e.Ctime == s.before.Ctime {
			return err
		}
	}
	s.before = e
	return nil
}

// unchanged says whether the file is what it was before it was read.
func (s *source) unchanged(root *localfs.Root) *sdk.Error {
	after, err := root.StatFile(s.open)
	switch {
	case err != nil:
		return sdk.NewError("read", s.file.Path, err)
	case after.Size != s.before.Size || after.Mtime != s.before.Mtime || after.Ctime != s.before.Ctime:
		return &sdk.Error{Kind: sdk.KindChanged, Op: "read", Path: s.file.Path, Msg: "it was written to meanwhile"}
	}
	return nil
}

// openPath is how another process reaches what this one has open.
func openPath(fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd) }
