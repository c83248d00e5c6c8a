package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// verbRsync asks a session where an rsync server may work. The connection then
// stays open as long as the session does.
const verbRsync = "rsync"

// rsyncPlace is the session's answer.
type rsyncPlace struct {
	Root string `json:"root"` // the tree's root on this machine
}

// rsync is the verb.
func (a *Agent) rsync(ctx context.Context, _ []byte, conn *net.UnixConn, answer func(any) error) error {
	root := a.driver.targetPath()
	if root == "" {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "visit session", Msg: "it has no secondary open that is a directory of its machine"}
	}
	defer conn.Close()
	if err := answer(rsyncPlace{Root: root}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = conn.Read(make([]byte, 1)) // the visitor's end
	return nil
}

// Rsync is an rsync server in the directory of one job of a session.
type Rsync struct {
	Doors string // where the session's door is
	Token string // the session's
	Dir   string // of the job: its name in the root
	Args  []string
	Path  string // where programs are looked for
	// Stdin, Stdout and Stderr are the server's. Files are handed on as they are.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// errNone is the reason of a code that says that there is no rsync.
var errNone = errors.New("there is no program rsync in the PATH of this user")

// Run runs the server until it ends, the session does, or ctx, and returns its
// exit code. An error of sdk.KindNotExist says that there is no such session
// or job any more, any other that the server cannot be had here, now or later.
func (r *Rsync) Run(ctx context.Context) (int, error) {
	if err := checkJobName(r.Dir); err != nil {
		return 0, err
	}
	if err := checkServerArgs(r.Args); err != nil {
		return 0, err
	}
	var place rsyncPlace
	session, err := Knock(ctx, r.Doors, r.Token, map[string]string{"verb": verbRsync}, &place)
	if err != nil {
		return 0, err
	}
	defer session.Close()
	program := lookPath(r.Path)
	if program == "" {
		return 0, errNone
	}
	root, err := localfs.Open(place.Root)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	dir, err := root.OpenDir(sdk.Path(r.Dir))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = session.Read(make([]byte, 1)) // the session's end
	}()
	code, ended := 0, make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread ends, and the
		// confinement is the thread's: it is not given back.
		runtime.LockOSThread()
		var err error
		code, err = r.serve(ctx, program, dir)
		ended <- err
	}()
	err = <-ended
	return code, err
}

// exitStopped is rsync's own code for having been told to stop.
const exitStopped = 20

// serve confines the thread and starts the server from it.
func (r *Rsync) serve(ctx context.Context, program string, dir *localfs.Dir) (int, error) {
	if err := confine(dir.FD(), filepath.Dir(program)); err != nil {
		return 0, err
	}
	cmd := exec.Command(program, r.Args...)
	// A directory that is open cannot be swapped for another.
	cmd.Dir = fmt.Sprintf("/proc/self/fd/%d", dir.FD())
	// Its own variables would change what it does, and so would the files that
	// its option parser finds at home.
	cmd.Env = []string{"PATH=" + r.Path, "LC_ALL=C"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Stdin, r.Stdout, r.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", program, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return 0, fmt.Errorf("run %s: %w", program, err)
	case cmd.ProcessState.ExitCode() < 0:
		return exitStopped, nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// lookPath finds rsync, with all symlinks resolved, or "".
func lookPath(path string) string {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		found, err := exec.LookPath(filepath.Join(dir, "rsync"))
		if err != nil {
			continue
		}
		if found, err = filepath.EvalSymlinks(found); err == nil {
			return found
		}
	}
	return ""
}

// checkJobName tells the name of a job's directory from other paths.
func checkJobName(name string) error {
	rest, ok := strings.CutPrefix(name, sdk.ReservedPrefix+"job-")
	if !ok || rest == "" || strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return &sdk.Error{Kind: sdk.KindInput, Op: "serve rsync", Msg: fmt.Sprintf("%q is no job's directory", name)}
	}
	return nil
}
