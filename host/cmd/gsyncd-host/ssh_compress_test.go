package main

import (
	"strings"
	"testing"
)

// TestSSHCompress counts what goes over the network with text to mirror.
func TestSSHCompress(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	r := s.behind(0)
	text := []byte(strings.Repeat("All work and no play makes Jack a dull boy. ", 100_000))
	pl.write(t, "d/text", text)
	h := start(t, pl.command("run", "--once", "-c", s.config(`driver "ssh" { compress = true }`)), nil)
	h.end(patience, 0)
	if !pl.inSync(t) {
		t.Error("the trees differ")
	}
	if _, bytes := r.count(); bytes > int64(len(text))/10 {
		t.Errorf("%d bytes on the wire for %d of text", bytes, len(text))
	}
	s.gone()
}
