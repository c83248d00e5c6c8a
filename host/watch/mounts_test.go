package watch

import (
	"strings"
	"testing"
)

const table = `22 1 8:1 / / rw shared:1 - ext4 /dev/a rw
23 22 0:5 / /srv/my\040data rw shared:2 master:1 - tmpfs x rw
24 23 0:6 /sub /srv/my\040data/in rw - xfs x rw
25 22 0:7 / /srv/my rw - tmpfs x rw
26 22 0:8 / /srv/my\040data2 rw - tmpfs x rw
short
`

func TestRelevantMounts(t *testing.T) {
	want := []mount{
		{22, 1, "8:1", "/", "/", "ext4"},
		{23, 22, "0:5", "/", "/srv/my data", "tmpfs"},
		{24, 23, "0:6", "/sub", "/srv/my data/in", "xfs"},
	}
	got := relevant([]byte(table), "/srv/my data")
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

// TestSpanned decides by tables whether events do for a tree at /srv, on the mount 22.
func TestSpanned(t *testing.T) {
	const root = "22 1 8:1 / / rw - ext4 /dev/a rw\n"
	for _, c := range []struct{ name, table, want, refused string }{
		{name: "nothing below", table: "23 22 0:5 / /srv2 rw - nfs4 x rw\n"},
		{name: "local ones", want: "/srv/a /srv/a/b /srv/c",
			table: "23 22 0:5 / /srv/a rw - tmpfs x rw\n24 23 8:2 / /srv/a/b rw - ext3 x rw\n25 22 8:3 / /srv/c rw - xfs x rw\n"},
		{name: "nfs", table: "23 22 0:5 / /srv/a rw - nfs4 x rw\n", refused: "/srv/a is in the primary: on a filesystem of type nfs4"},
		{name: "fuse", table: "23 22 0:5 / /srv/a rw - fuse.sshfs x rw\n", refused: "type fuse.sshfs"},
		{name: "unknown", table: "23 22 0:5 / /srv/a rw\n", refused: "/srv/a is in the primary"},
		{name: "nfs covered by another", table: "23 22 0:5 / /srv/a rw - nfs4 x rw\n24 23 0:6 / /srv/a rw - tmpfs x rw\n", want: "/srv/a"},
		{name: "nfs in what is covered", table: "23 22 0:5 / /srv/a/b rw - nfs4 x rw\n24 22 0:6 / /srv/a rw - tmpfs x rw\n", want: "/srv/a"},
		{name: "nfs below what is covered", table: "23 22 0:4 / /srv/a rw - tmpfs x rw\n24 23 0:5 / /srv/a/b rw - nfs4 x rw\n25 23 0:6 / /srv/a rw - tmpfs x rw\n", want: "/srv/a"},
		{name: "nfs over what covers", table: "23 22 0:4 / /srv/a rw - tmpfs x rw\n24 23 0:5 / /srv/a rw - tmpfs x rw\n25 24 0:6 / /srv/a/b rw - cifs x rw\n", refused: "/srv/a/b is in the primary"},
		{name: "what the primary shows", table: "23 22 8:1 /srv/x /srv/a rw - ext4 x rw\n", refused: "/srv and /srv/a show the same directories"},
		{name: "what shows the primary", table: "23 22 8:1 / /srv/a rw - ext4 x rw\n", refused: "show the same directories"},
		{name: "beside the primary", table: "23 22 8:1 /srv2 /srv/a rw - ext4 x rw\n", want: "/srv/a"},
		{name: "the same twice", table: "23 22 0:5 /x /srv/a rw - ext4 x rw\n24 22 0:5 /x/y /srv/b rw - ext4 x rw\n", refused: "/srv/a and /srv/b show"},
		{name: "two parts of one", table: "23 22 0:5 /@ /srv/a rw - btrfs x rw\n24 23 0:5 /@home /srv/a/home rw - btrfs x rw\n", want: "/srv/a /srv/a/home"},
	} {
		t.Run(c.name, func(t *testing.T) {
			below, err := spanned(relevant([]byte(root+c.table), "/srv"), 22, "/srv")
			if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Fatalf("%v, want %q", err, c.refused)
			}
			var at []string
			for _, m := range below {
				at = append(at, m.at)
			}
			if got := strings.Join(at, " "); err == nil && got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if _, err := spanned(nil, 22, "/srv"); err == nil {
		t.Error("a tree on no mount")
	}
}
