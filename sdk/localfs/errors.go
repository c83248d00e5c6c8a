package localfs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// fail makes an *sdk.Error of err. Some errnos say more here than elsewhere: a
// path is resolved without links, so a link in the way or something already
// there means that the tree is not what the caller saw.
func fail(op string, p sdk.Path, err error) error {
	e := sdk.NewError(op, p, err)
	var inner *sdk.Error
	if errors.As(err, &inner) {
		return e
	}
	switch e.Errno {
	case unix.ELOOP:
		e.Kind, e.Msg = sdk.KindChanged, "a symbolic link is in the way"
	case unix.EEXIST, unix.ENOTEMPTY, unix.EISDIR, unix.ENXIO:
		e.Kind = sdk.KindChanged
	case unix.EXDEV, unix.EMLINK, unix.ENOTTY:
		e.Kind = sdk.KindUnsupported
	}
	return e
}

func errnoOf(err error) syscall.Errno {
	var no syscall.Errno
	errors.As(err, &no)
	return no
}

// check refuses what is not one component: names come from callers.
func (d *Dir) check(op, name string) error {
	if err := sdk.ValidateName(name); err != nil {
		return &sdk.Error{Kind: sdk.KindInput, Op: op, Path: d.path, Msg: err.Error()}
	}
	return nil
}
