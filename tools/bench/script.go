package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
)

// script lets helpers that are made for tests work here. It is for one goroutine.
type script struct {
	testing.TB // nil: for what is not used
	log        io.Writer
	err        error
	after      []func()
}

// inTest runs f as if it were a test, and gives its failures as an error.
func inTest(log io.Writer, f func(*script)) error {
	t := &script{log: log}
	t.goOn(func() { f(t) })
	for len(t.after) > 0 {
		last := t.after[len(t.after)-1]
		t.after = t.after[:len(t.after)-1]
		t.goOn(last)
	}
	return t.err
}

// goOn runs f, which may end by Fatal.
func (t *script) goOn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (t *script) must(err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// Helper implements testing.TB.
func (t *script) Helper() {}

// Cleanup implements testing.TB.
func (t *script) Cleanup(f func()) { t.after = append(t.after, f) }

// Failed implements testing.TB.
func (t *script) Failed() bool { return t.err != nil }

// Log implements testing.TB.
func (t *script) Log(args ...any) { fmt.Fprintln(t.log, args...) }

// Error implements testing.TB.
func (t *script) Error(args ...any) {
	t.err = errors.Join(t.err, fmt.Errorf("%s", fmt.Sprint(args...)))
}

// Errorf implements testing.TB.
func (t *script) Errorf(format string, args ...any) {
	t.err = errors.Join(t.err, fmt.Errorf(format, args...)) //nolint:err113 // the caller's words
}

// Fatal implements testing.TB.
func (t *script) Fatal(args ...any) {
	t.Error(args...)
	runtime.Goexit()
}

// Fatalf implements testing.TB.
func (t *script) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}
