package sdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Kind is the class of an error, by what the host does about it.
type Kind uint8

// The kinds. KindFatal is the zero value on purpose: an error that nobody
// classified must not be retried blindly.
const (
	KindFatal       Kind = iota // the call cannot succeed; the resource may be broken
	KindNotExist                // no such entry
	KindPermission              // not allowed to this user
	KindUnsupported             // the resource or its filesystem cannot do it
	KindNoSpace                 // disk or quota full
	KindTransient               // may work later as it is
	KindGone                    // the plugin or its resource is no longer there
	KindChanged                 // the entry is not what the caller saw
	KindBusy                    // held by somebody else
	KindInput                   // the caller's request is malformed
	kindEnd
)

var kindNames = [...]string{"fatal", "not-exist", "permission", "unsupported", "no-space", "transient", "gone", "changed", "busy", "input"}

// String gives the kind's stable name, used in JSON.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Valid reports whether k is one of the constants.
func (k Kind) Valid() bool { return k < kindEnd }

// Error is an error that crosses the border between host and plugin whole.
type Error struct {
	Kind  Kind
	Op    string        // what was being done: a verb, with its object where that helps
	Path  Path          // where, if it was at an entry
	Errno syscall.Errno // 0 if the system said nothing
	Msg   string        // more, for people; may be empty
}

// Error renders "op path: message: errno text".
func (e *Error) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + string(e.Path)
	}
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	if e.Errno != 0 {
		s += ": " + e.Errno.Error()
	} else if e.Msg == "" {
		s += ": " + e.Kind.String()
	}
	return s
}

// Is makes errors.Is work with the standard library's sentinels.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == KindNotExist
	case fs.ErrPermission:
		return e.Kind == KindPermission
	case errors.ErrUnsupported:
		return e.Kind == KindUnsupported
	}
	return false
}

// Unwrap gives the errno, if there is one.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// KindOf returns the kind of err: that of the *Error in its chain, else one
// that fits its errno or sentinel, else KindFatal. KindOf(nil) is KindFatal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var no syscall.Errno
	switch {
	case errors.As(err, &no):
		return errnoKind(no)
	case errors.Is(err, context.DeadlineExceeded):
		return KindTransient
	case errors.Is(err, fs.ErrNotExist):
		return KindNotExist
	case errors.Is(err, fs.ErrPermission):
		return KindPermission
	case errors.Is(err, errors.ErrUnsupported):
		return KindUnsupported
	}
	return KindFatal
}

// NewError wraps err as an *Error at path, with kind and errno taken from it.
// An *Error keeps its own kind and errno. A nil err gives nil.
func NewError(op string, path Path, err error) *Error {
	if err == nil {
		return nil
	}
	out := &Error{Kind: KindOf(err), Op: op, Path: path}
	var inner *Error
	var no syscall.Errno
	if errors.As(err, &inner) {
		out.Errno, out.Msg = inner.Errno, inner.Msg
		if out.Msg == "" && inner.Op != op {
			out.Msg = inner.Op
		}
	} else if errors.As(err, &no) {
		out.Errno = no
	} else {
		out.Msg = err.Error()
	}
	return out
}

func errnoKind(no syscall.Errno) Kind {
	switch no {
	case syscall.ENOENT, syscall.ENOTDIR:
		return KindNotExist
	case syscall.EPERM, syscall.EACCES, syscall.EROFS:
		return KindPermission
	case syscall.ENOSYS, syscall.ENOTSUP, syscall.EINVAL:
		return KindUnsupported
	case syscall.ENOSPC, syscall.EDQUOT:
		return KindNoSpace
	case syscall.EAGAIN, syscall.EINTR, syscall.EIO, syscall.ETIMEDOUT, syscall.ESTALE, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.ENOTCONN,
		syscall.EBADFD: // an open file of a FUSE filesystem whose server changed beneath it: it is opened anew
		return KindTransient
	case syscall.EBUSY, syscall.ETXTBSY:
		return KindBusy
	}
	return KindFatal
}
