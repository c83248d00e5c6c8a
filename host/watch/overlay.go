package watch

import (
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxAbove is how far up a known directory is looked for.
const maxAbove = 1 << 10

// meet tells of a directory to which a handle led. An overlay copies a directory up
// with the first change in it, whereby it becomes another one, which the index does not
// know; and nothing tells of that in the directory above, where it would be found. So the
// nearest one above that the index knows is told of instead.
func (f *fanotify) meet(dir handle, id sdk.FileID, tell func(sdk.FileID) bool) {
	if tell(id) {
		return
	}
	// Where that is no longer mounted here a look at everything follows.
	on, err := f.handles.enter(dir.fs)
	var fs unix.Statfs_t
	if err != nil || unix.Fstatfs(on, &fs) != nil || fs.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := unix.OpenByHandleAt(on, unix.NewFileHandle(dir.kind, dir.data), flags)
	for n := 0; n < maxAbove && err == nil; n++ {
		var up int
		up, err = unix.Openat(fd, "..", flags, 0)
		unix.Close(fd)
		if err != nil {
			return // gone: the directory that it was in tells
		}
		fd = up
		e, errUp := f.root.StatFD(fd)
		if errUp != nil || e.ID == id || tell(e.ID) {
			break // at the top, where a directory is above itself, or found
		}
		id = e.ID
	}
	if err == nil {
		unix.Close(fd)
	}
}
