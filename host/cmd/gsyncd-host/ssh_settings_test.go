package main

import (
	"strings"
	"testing"
)

// TestSSHRemoteSettings gives settings to the far driver, right and wrong ones.
func TestSSHRemoteSettings(t *testing.T) {
	t.Parallel()
	pl, s := newFar(t)
	pl.write(t, "f", []byte("x"))
	for _, c := range []struct{ settings, want string }{
		{`["jbos=1"]`, `there is no setting "jbos"; known are: cross_mounts, jobs`},
		{`["jobs"]`, `"jobs" is not name=value`},
		{`["jobs=many"]`, `jobs must be a whole number, not "many"`},
		{`["jobs=0"]`, `jobs must be 1 to 64`},
	} {
		h := start(t, pl.command("run", "--once", "-c", s.config(`driver "ssh" { remote_settings = `+c.settings+` }`)), nil)
		h.end(patience, 1)
		if said := h.stdout.String() + h.stderr.String(); !strings.Contains(said, c.want) || !strings.Contains(said, "mend remote_settings") {
			t.Errorf("%s: not said: %s", c.settings, c.want)
		}
	}
	h := start(t, pl.command("run", "--once", "-c", s.config(`driver "ssh" { remote_settings = ["jobs=1", "cross_mounts=true"] }`)), nil)
	h.end(patience, 0)
	s.endedWell()
}
