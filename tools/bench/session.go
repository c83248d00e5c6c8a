package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	sampleEvery = 50 * time.Millisecond
	clockTicks  = 100 // USER_HZ, fixed in Linux's interface
)

// session is a running program with all processes it starts: it leads a session
// of its own, which its children stay in.
type session struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, once done is closed
}

// startSession starts argv. When ctx ends, the whole session is killed.
func startSession(ctx context.Context, argv []string, out io.Writer) (*session, error) {
	s := &session{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	s.cmd.WaitDelay = 5 * time.Second
	s.cmd.Cancel = func() error {
		for _, p := range s.processes() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may be gone already
		}
		return nil
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

func (s *session) wait() error {
	<-s.done
	return s.err
}

// sampleUntilExit returns the peak of the session's memory, in bytes.
func (s *session) sampleUntilExit() int64 {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var peak int64
	for {
		select {
		case <-s.done:
			return peak
		case <-tick.C:
			peak = max(peak, s.memory())
		}
	}
}

// memory sums the proportional set sizes of the session's processes.
func (s *session) memory() int64 {
	var sum int64
	for _, p := range s.processes() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			continue // ended meanwhile
		}
		for line := range bytes.Lines(data) {
			if rest, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
				kb, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
				sum += kb << 10
				break
			}
		}
	}
	return sum
}

// cpu returns the processor time that the session's processes have used, those
// that ended included if the one that started them is there.
func (s *session) cpu() time.Duration {
	var ticks int64
	for _, p := range s.processes() {
		ticks += p.ticks
	}
	return time.Duration(ticks) * time.Second / clockTicks
}

// process is one line of /proc.
type process struct {
	pid   int
	ticks int64 // user and system, of its ended children too
}

// processes lists the session's members, those too that ended and were not yet
// waited for.
func (s *session) processes() []process {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []process
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything; after it come state,
		// ppid, pgrp, session and, from the 12th on, utime, stime, and both of
		// the children that were waited for.
		f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(f) < 15 || f[3] != strconv.Itoa(s.cmd.Process.Pid) {
			continue
		}
		p := process{pid: pid}
		for _, field := range f[11:15] {
			ticks, _ := strconv.ParseInt(field, 10, 64)
			p.ticks += ticks
		}
		all = append(all, p)
	}
	return all
}
