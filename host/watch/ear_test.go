package watch

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEndlessEvents reads a queue that is filled as fast as it is read: that comes to
// an end, so that an overflow is told of and the listening can be ended.
func TestEndlessEvents(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	buf := make([]byte, 4096)
	fill := func() error {
		_, err := unix.Write(pipe[1], make([]byte, len(buf)))
		return err
	}
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	const tooMany = 10 * maxBuffers
	taken := 0
	err := readEvents(pipe[0], buf, func([]byte) error {
		if taken++; taken == tooMany {
			return errors.New("it reads on and on")
		}
		return fill()
	})
	if err != nil || taken != maxBuffers {
		t.Errorf("%d buffers of events, %v", taken, err)
	}
	// What is left is there for the next time, which comes to its end.
	left := 0
	if err := readEvents(pipe[0], buf, func(b []byte) error { left += len(b); return nil }); err != nil || left != len(buf) {
		t.Errorf("%d bytes were left, %v", left, err)
	}
}
