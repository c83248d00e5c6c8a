//go:build !wasip1

// Package handout passes bytes to a plugin that nobody else should see: not in its
// arguments or environment, which other processes can read, and not in a file.
package handout

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Variable is the environment variable that tells a plugin the descriptor.
const Variable = "GSYNCD_HOST_HANDOUT"

// maxSize bounds what a plugin reads.
const maxSize = 16 << 20

// Make returns an unnamed file in memory that holds data, for the plugin to
// inherit. The caller closes it.
func Make(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("handout", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make handout: %w", err)
	}
	f := os.NewFile(uintptr(fd), "handout")
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("make handout: %w", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal handout: %w", err)
	}
	return f, nil
}

// Read returns what the host handed out to this process, nil if nothing. It can
// be called again.
func Read() ([]byte, error) {
	text := os.Getenv(Variable)
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("read handout: descriptor %q", text)
	}
	// Programs that the plugin starts do not get it.
	unix.CloseOnExec(fd)
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("read handout: %w", err)
	}
	f := os.NewFile(uintptr(own), "handout")
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxSize))
	if err != nil {
		return nil, fmt.Errorf("read handout: %w", err)
	}
	return data, nil
}
