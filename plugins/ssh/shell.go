package ssh

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// shell lets rsync processes of this machine use the connection: it listens on
// a socket that only this user reaches, and runs an rsync server at the far end
// for each that comes.
type shell struct {
	dir      string
	lock     *os.File // says to those who tidy up that the directory is used
	listener *net.UnixListener
	open     func(context.Context) (*ssh.Session, error) // on the present connection
	command  func(dir string, args []string) string
	log      *slog.Logger
	ctx      context.Context // ends when the shell does
	cancel   context.CancelFunc
	visits   sync.WaitGroup
}

const (
	shellPrefix = "gsyncd-host-ssh-"
	shellSocket = "rsync"
	// maxShellBase is the longest directory in which the socket can be.
	maxShellBase = 107 - len("/"+shellPrefix+"4294967295/"+shellSocket)
	// maxShellRequest is the longest request.
	maxShellRequest = 64 << 10
	shellPatience   = 10 * time.Second
)

func newShell(open func(context.Context) (*ssh.Session, error), command func(dir string, args []string) string, log *slog.Logger) (*shell, error) {
	base := os.TempDir()
	if len(base) > maxShellBase {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, shellPrefix)
	if err != nil {
		return nil, fmt.Errorf("make directory for rsync: %w", err)
	}
	s := &shell{dir: dir, open: open, command: command, log: log}
	if s.lock, err = os.Open(dir); err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: s.socket(), Net: "unix"})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make socket for rsync: %w", err), s.remove())
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.visits.Go(s.serve)
	return s, nil
}

func (s *shell) socket() string { return filepath.Join(s.dir, shellSocket) }

// words are the command by which rsync comes here. The program is called by its
// process, since its file may have been replaced.
func (s *shell) words() []string {
	return []string{fmt.Sprintf("/proc/%d/exe", os.Getpid()), "remote-shell", s.socket()}
}

func (s *shell) remove() error {
	err := os.RemoveAll(s.dir)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// stop begins the end of all that goes on.
func (s *shell) stop() {
	s.cancel()
	_ = s.listener.Close()
}

// close ends all that goes on and gives back the socket. It may wait for the far
// end, unless the connection is closed.
func (s *shell) close() error {
	s.stop()
	s.visits.Wait()
	return s.remove()
}

func (s *shell) serve() {
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			return // closed
		}
		s.visits.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(s.ctx, func() { _ = conn.Close() })
			defer stop()
			s.visit(conn)
		})
	}
}

// visit runs one rsync server.
func (s *shell) visit(conn *net.UnixConn) {
	out := &frames{w: conn}
	code := exitLost
	request, in, err := readShellRequest(conn)
	if err == nil {
		code, err = s.run(request, in, out)
	}
	if err != nil {
		s.log.Debug("an rsync failed", "error", err)
		_, _ = out.stream(frameStderr).Write([]byte(sdk.ShellLost + err.Error() + "\n"))
	}
	_, _ = out.stream(frameExit).Write([]byte{byte(code)})
}

func readShellRequest(conn net.Conn) (shellRequest, io.Reader, error) {
	_ = conn.SetReadDeadline(time.Now().Add(shellPatience))
	in := bufio.NewReaderSize(conn, maxShellRequest)
	line, err := in.ReadSlice('\n')
	var r shellRequest
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, nil, fmt.Errorf("read what rsync asks for: %w", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	return r, in, nil
}

// run runs the server and returns its exit code.
func (s *shell) run(r shellRequest, in io.Reader, out *frames) (int, error) {
	dir, args, err := splitJob(r.Args)
	if err != nil {
		return exitLost, err
	}
	session, err := s.open(s.ctx)
	if err != nil {
		return exitLost, fmt.Errorf("open a session for rsync: %w", err)
	}
	defer session.Close()
	stop := context.AfterFunc(s.ctx, func() { _ = session.Close() })
	defer stop()
	out.onBroken(func() { _ = session.Close() })
	session.Stdout, session.Stderr = out.stream(frameStdout), out.stream(frameStderr)
	stdin, err := session.StdinPipe()
	if err != nil {
		return exitLost, fmt.Errorf("open a session for rsync: %w", err)
	}
	if err := session.Start(s.command(dir, args)); err != nil {
		// The server has its reasons, and will have them next time.
		_, _ = out.stream(frameStderr).Write([]byte(sdk.ShellRefuses + "the ssh server does not run the command: " + err.Error() + "\n"))
		return exitNotExecutable, nil
	}
	// The copy ends with the visitor's connection.
	go func() {
		_, _ = io.Copy(stdin, in)
		_ = stdin.Close()
	}()
	err = session.Wait()
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Signal() == "":
		return exit.ExitStatus(), nil
	}
	return exitLost, fmt.Errorf("the far rsync ended: %w", err)
}

// splitJob takes the job's directory out of rsync's arguments: the server works
// in it.
func splitJob(args []string) (dir string, server []string, err error) {
	if len(args) > 0 {
		last := len(args) - 1
		dir, rest, ok := strings.Cut(args[last], "/")
		if ok && dir != "" {
			return dir, append(append([]string{}, args[:last]...), rest), nil
		}
	}
	return "", nil, errors.New("rsync names no job's directory")
}
