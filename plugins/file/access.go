package file

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// writable reports whether entries can be made in dir. Its owner always can:
// the rights are taken for as long as they are needed.
func writable(dir string, st fs.FileInfo) error {
	err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && err == unix.EACCES && int(sys.Uid) == os.Geteuid() {
		return nil
	}
	return err
}

// quote shows a path to people; control characters cannot reach the terminal.
func quote(path string) string { return strconv.Quote(path) }

// reason is the system's word for err, without what the sentence says already.
func reason(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	var e *sdk.Error
	if errors.As(err, &e) && e.Msg != "" {
		return e.Msg
	}
	return err.Error()
}
