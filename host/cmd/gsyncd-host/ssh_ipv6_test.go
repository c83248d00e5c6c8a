package main

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"
)

// TestSSHOverIPv6 names the host by its address, in both forms of a URL.
func TestSSHOverIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no IPv6 here: %v", err)
	}
	l.Close()
	pl, s := newFar(t)
	s.clientConfig(fmt.Sprintf("Host ::1\n  Port %s\n  IdentityFile ~/.ssh/key\n", s.port))
	s.file(filepath.Join(pl.home(), "known_hosts"), knownhosts.Line([]string{net.JoinHostPort("::1", s.port)}, s.hostKey)+"\n")
	for i, url := range []string{s.user + "@[::1]:" + pl.s, "ssh://" + s.user + "@[0:0::1]:file://" + pl.s} {
		pl.write(t, fmt.Sprint("f", i), []byte("x"))
		pl.once(t, pl.p, url)
		if !pl.inSync(t) {
			t.Errorf("%s: the trees differ", url)
		}
	}
	s.gone()
}
