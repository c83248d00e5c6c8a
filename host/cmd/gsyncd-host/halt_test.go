package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program can be halted right before a system call: the kernel asks whoever
// listens, and the call waits for the answer. So a kill hits a moment exactly that
// lasts some microseconds otherwise, and nothing of it is left to luck. What the
// program starts is halted too.

// haltVar lists, by number, the system calls before which the program asks.
const haltVar = "GSYNCD_TEST_HALT"

// haltSocket is where the program finds the socket by which it hands the listener
// over.
const haltSocket = 3

// offerHalts lets the kernel ask before system calls, in all threads and what they
// start, if a test wants that.
func offerHalts() error {
	list, wanted := os.LookupEnv(haltVar)
	if !wanted {
		return nil
	}
	if err := os.Unsetenv(haltVar); err != nil {
		return err
	}
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for _, nr := range strings.Fields(list) {
		n, err := strconv.ParseUint(nr, 10, 32)
		if err != nil {
			return err
		}
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(n), Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	err := error(unix.EINTR)
	for err == unix.EINTR {
		err = unix.Sendmsg(haltSocket, []byte{0}, unix.UnixRights(int(fd)), nil, 0)
	}
	_ = unix.Close(int(fd))
	_ = unix.Close(haltSocket)
	return err
}

// halted is a system call that waits for an answer, as the kernel describes it.
type halted struct {
	id          uint64
	pid         uint32
	_           uint32
	nr          int32
	_           uint32
	instruction uint64
	args        [6]uint64
}

// answer is one, as the kernel takes it.
type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// file is what a descriptor among the arguments leads to.
func (h *halted) file(arg int) string { return h.link(strconv.FormatUint(h.args[arg], 10)) }

func (h *halted) link(fd string) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", h.pid, fd))
	return path
}

// text is a string among the arguments.
func (h *halted) text(arg int) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", h.pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	buf := make([]byte, 256)
	n, _ := mem.ReadAt(buf, int64(h.args[arg]))
	text, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return text
}

// path is one among the arguments, or what it leads to if it names a descriptor.
func (h *halted) path(arg int) string {
	path := h.text(arg)
	if fd, ok := strings.CutPrefix(path, "/proc/self/fd/"); ok {
		return h.link(fd)
	}
	return path
}

// startHalting starts a prepared program that asks before some system calls. Each
// goes on unless at says that it is the one; then reached is closed, and the call waits
// for the end of its process.
func startHalting(t *testing.T, cmd *exec.Cmd, calls []int, at func(*halted) bool) (h *host, reached <-chan struct{}) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "halts")
	defer theirs.Close()
	defer unix.Close(pair[0])
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Env, haltVar+"="+strings.Trim(fmt.Sprint(calls), "[]"))
	h = start(t, cmd, nil)
	check(t, unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)}))
	listener, err := receive(pair[0])
	if err != nil {
		t.Fatalf("the program cannot be halted: %v\n%s", err, h.stderr.String())
	}
	ch, ended, stop := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(listener)
		answerHalts(listener, stop, func(call *halted) bool {
			if !at(call) {
				return false
			}
			close(ch)
			return true
		})
	}()
	t.Cleanup(func() {
		close(stop)
		<-ended
	})
	return h, ch
}

// receive takes a descriptor from a socket.
func receive(socket int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	n, err := 0, error(unix.EINTR)
	for err == unix.EINTR {
		_, n, _, _, err = unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("%d descriptors came: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// answerHalts lets calls go on until the last process is gone, or stop is closed, but
// for the first that is taken.
func answerHalts(listener int, stop <-chan struct{}, take func(*halted) bool) {
	taken := false
	for {
		select {
		case <-stop:
			return
		default:
		}
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int((100 * time.Millisecond).Milliseconds()))
		switch {
		case err != nil && err != unix.EINTR, n > 0 && poll[0].Revents&unix.POLLIN == 0:
			return
		case n <= 0:
			continue
		}
		var call halted
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&call))); errno != 0 {
			continue // its process is gone
		}
		if !taken && take(&call) {
			taken = true
			continue
		}
		reply := answer{id: call.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		for errno := unix.EINTR; errno == unix.EINTR; { // any other: its process is gone
			_, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&reply)))
		}
	}
}
