package ssh

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// What the driver's process says to a remote shell comes in frames: a byte for
// what it is, four for the length, highest first, and the bytes. What the shell
// says is its request, one line of JSON, and then its standard input as it is.
const (
	frameStdout = 'o'
	frameStderr = 'e'
	frameExit   = 'x' // one byte, the exit code; the last frame
	frameHeader = 5
	// maxFrame is the most bytes of a frame that are taken.
	maxFrame = 1 << 20
	// exitLost is the code of a command whose end nobody saw.
	exitLost = 255
)

// shellRequest asks for an rsync server.
type shellRequest struct {
	Args []string `json:"args"`
}

// RemoteShell runs rsync's server on the other machine through the driver
// process that listens at socket, and returns the server's exit code.
func RemoteShell(ctx context.Context, socket string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	code, err := remoteShell(ctx, socket, args, stdin, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s%v\n", sdk.ShellLost, err)
		return exitLost
	}
	return code
}

func remoteShell(ctx context.Context, socket string, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, fmt.Errorf("reach the ssh driver: %w", err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.Join(errors.New("reach the ssh driver: no unix socket"), c.Close())
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request, err := json.Marshal(shellRequest{args})
	if err == nil {
		_, err = conn.Write(append(request, '\n'))
	}
	if err != nil {
		return 0, fmt.Errorf("ask the ssh driver: %w", err)
	}
	// It ends with the process: a read of standard input cannot be ended.
	go func() {
		_, _ = io.Copy(conn, stdin)
		_ = conn.CloseWrite()
	}()
	header, data := make([]byte, frameHeader), []byte(nil)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return 0, fmt.Errorf("the ssh driver is gone: %w", err)
		}
		n := binary.BigEndian.Uint32(header[1:])
		if n > maxFrame {
			return 0, errors.New("what the ssh driver says makes no sense")
		}
		if int(n) > cap(data) {
			data = make([]byte, n)
		}
		data = data[:n]
		if _, err := io.ReadFull(conn, data); err != nil {
			return 0, fmt.Errorf("the ssh driver is gone: %w", err)
		}
		switch {
		case header[0] == frameStdout:
			_, err = stdout.Write(data)
		case header[0] == frameStderr:
			_, err = stderr.Write(data)
		case header[0] == frameExit && n == 1:
			return int(data[0]), nil
		default:
			err = errors.New("what the ssh driver says makes no sense")
		}
		if err != nil {
			return 0, fmt.Errorf("hand on what the far side says: %w", err)
		}
	}
}
