package agent

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is how many bytes a pipe may hold: as little as it holds by itself is
// one packet of ssh or two, and each of them would wake the other end.
const pipeSize = 1 << 20

// stdio is a process's input and output as one stream.
type stdio struct{ in, out *os.File }

var _ io.ReadWriteCloser = (*stdio)(nil)

// Stdio joins an input and an output, both pipes or sockets, and closes their
// files. Unlike with those, closing the stream ends a read or write that is under
// way: what the agent must be able to do when the other end hangs.
func Stdio(in, out *os.File) (io.ReadWriteCloser, error) {
	s := &stdio{}
	for _, f := range []struct {
		from *os.File
		to   **os.File
	}{{in, &s.in}, {out, &s.out}} {
		fd, err := unix.FcntlInt(f.from.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(f.from.Close(), unix.SetNonblock(fd, true))
		}
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", f.from.Name(), err)
		}
		// Not everything has a size, and not everybody may have so much.
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize)
		*f.to = os.NewFile(uintptr(fd), f.from.Name())
	}
	return s, nil
}

// Read implements [io.Reader].
func (s *stdio) Read(p []byte) (int, error) { return s.in.Read(p) }

// Write implements [io.Writer].
func (s *stdio) Write(p []byte) (int, error) { return s.out.Write(p) }

// Close implements [io.Closer].
func (s *stdio) Close() error { return errors.Join(s.in.Close(), s.out.Close()) }
