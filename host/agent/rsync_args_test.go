package agent

import (
	"slices"
	"strings"
	"testing"
)

func TestServerArgs(t *testing.T) {
	const good = "--server -ISe.LsfxCIvu --log-format=X -B4096 --copy-dest ../basis . out/"
	for _, c := range []struct {
		args string
		ok   bool
	}{
		{good, true},
		{"--server -WISze31.14LsfxC --compress-level=3 --log-format=X --bwlimit=100 --checksum-choice=xxh64,md5 --compress-choice=zstd --max-alloc=2.5G --checksum-seed=-5 --fsync --copy-dest ../basis --preallocate . out/", true},
		{"--server -Ie.Lsf . out/", true},
		{"", false},
		{"--server", false},
		{"--server . out/", false},
		{"--daemon -Ie.Lsf . out/", false},
		{"--server --sender -Ie.Lsf . out/", false},
		{"--server -Ie.Lsf --sender . out/", false},
		{"--server -lIe.Lsf . out/", false},
		{"--server -rIe.Lsf . out/", false},
		{"--server -DIe.Lsf . out/", false},
		{"--server -RIe.Lsf . out/", false},
		{"--server -sIe.Lsf . out/", false},
		{"--server -Ie.Lsf -r . out/", false},
		{"--server -Ie/bin/sh . out/", false},
		{"--server -Ie.Lsf -e/bin/sh . out/", false},
		{"--server -Ie.Lsf --rsh=x . out/", false},
		{"--server -Ie.Lsf --devices . out/", false},
		{"--server -Ie.Lsf --inplace . out/", false},
		{"--server -Ie.Lsf --delete . out/", false},
		{"--server -Ie.Lsf --partial-dir x . out/", false},
		{"--server -Ie.Lsf --backup-dir=/ . out/", false},
		{"--server -Ie.Lsf --log-file=/etc/x . out/", false},
		{"--server -Ie.Lsf --log-format=%f . out/", false},
		{"--server -Ie.Lsf --temp-dir=/ . out/", false},
		{"--server -Ie.Lsf -T / . out/", false},
		{"--server -Ie.Lsf --write-devices . out/", false},
		{"--server -Ie.Lsf --files-from=/etc/shadow . out/", false},
		{"--server -Ie.Lsf --copy-dest /etc . out/", false},
		{"--server -Ie.Lsf --copy-dest=/etc . out/", false},
		{"--server -Ie.Lsf --copy-dest ../basis/.. . out/", false},
		{"--server -Ie.Lsf --link-dest ../basis . out/", false},
		{"--server -Ie.Lsf --copy-dest", false},
		{"--server -Ie.Lsf . out/ out/", false},
		{"--server -Ie.Lsf . out", false},
		{"--server -Ie.Lsf . out/..", false},
		{"--server -Ie.Lsf . /", false},
		{"--server -Ie.Lsf / out/", false},
		{"--server -Ie.Lsf --skip-compress=a\n--inplace . out/", false},
		{"--server -Ie.Lsf\n . out/", false},
		{"--server -Ie.Lsf -B4096\n . out/", false},
	} {
		args := strings.Split(c.args, " ")
		if err := checkServerArgs(args); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.args, err)
		}
	}
	if err := checkServerArgs(slices.Repeat([]string{"--server"}, 10000)); err == nil {
		t.Error("a long list is good")
	}
}

func TestJobName(t *testing.T) {
	for name, ok := range map[string]bool{
		".gsyncd-host.job-ABC234": true, "": false, ".": false, "..": false, "/": false, "d": false,
		".gsyncd-host.job-": false, ".gsyncd-host.job-A/../..": false, ".gsyncd-host.job-..": false, "x/.gsyncd-host.job-A": false, ".gsyncd-host.job-A\n": false,
	} {
		if err := checkJobName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
