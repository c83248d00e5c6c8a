package localfs

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// maxChunk is how much of a path one system call is given: below PATH_MAX with
// its NUL.
const maxChunk = unix.PathMax - 1

const dirPath = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func openRetry(dirfd int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, name, flags, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func openat2(dirfd int, name string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(dirfd, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// open opens p. On a writable root it makes its way through directories that
// deny it; what it then holds is appended to held, for the caller to release.
func (r *Root) open(p sdk.Path, flags int, held *[]*hold) (int, error) {
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	if p == sdk.Root {
		fd, err := openRetry(r.fd, ".", flags, 0)
		if err == unix.EACCES && r.holds != nil {
			return r.openAtForced(r.fd, ".", flags, held)
		}
		return fd, err
	}
	fd, err := r.openPlain(string(p), flags)
	if err == unix.EACCES && r.holds != nil {
		return r.openForced(string(p), flags, held)
	}
	return fd, err
}

func (r *Root) openPlain(p string, flags int) (int, error) {
	at := r.fd
	for {
		head, rest := cutPath(p, r.openat2)
		f := flags
		if rest != "" {
			f = dirPath
		}
		var fd int
		var err error
		if r.openat2 {
			fd, err = openat2(at, head, f)
		} else {
			fd, err = openRetry(at, head, f, 0)
		}
		if at != r.fd {
			unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		if rest == "" {
			return fd, nil
		}
		at, p = fd, rest
	}
}

// cutPath splits off what one call may resolve: as much as fits where the
// kernel holds the path below its start, else a single component.
func cutPath(p string, whole bool) (head, rest string) {
	if !whole {
		head, rest, _ = strings.Cut(p, "/")
		return head, rest
	}
	if len(p) <= maxChunk {
		return p, ""
	}
	i := strings.LastIndexByte(p[:maxChunk], '/')
	return p[:i], p[i+1:]
}

func (r *Root) openForced(p string, flags int, held *[]*hold) (int, error) {
	at := r.fd
	for {
		head, rest := cutPath(p, false)
		f := flags
		if rest != "" {
			f = dirPath
		}
		fd, err := r.openAtForced(at, head, f, held)
		if at != r.fd {
			unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		if rest == "" {
			return fd, nil
		}
		at, p = fd, rest
	}
}

// openAtForced opens one component. Either the directory it is in or it itself
// may be what denies.
func (r *Root) openAtForced(at int, name string, flags int, held *[]*hold) (int, error) {
	fd, err := openRetry(at, name, flags, 0)
	if err != unix.EACCES {
		return fd, err
	}
	if h, herr := r.holds.take(at); herr == nil {
		*held = append(*held, h)
		if fd, err = openRetry(at, name, flags, 0); err != unix.EACCES {
			return fd, err
		}
	}
	if flags&unix.O_DIRECTORY == 0 || flags&unix.O_PATH != 0 {
		return -1, err
	}
	dir, perr := openRetry(at, name, dirPath, 0)
	if perr != nil {
		return -1, err
	}
	defer unix.Close(dir)
	h, herr := r.holds.take(dir)
	if herr != nil {
		return -1, err
	}
	*held = append(*held, h)
	return openRetry(dir, ".", flags, 0)
}
