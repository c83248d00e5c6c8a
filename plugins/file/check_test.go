package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "dir"))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(t, os.Symlink("dir", filepath.Join(dir, "link")))
	for _, c := range []struct {
		role sdk.Role
		path string
		jobs int64
		want string // in the only error; empty: none
	}{
		{sdk.Primary, dir + "/dir", 2, ""},
		{sdk.Primary, dir + "/link", 2, ""},
		{sdk.Primary, dir + "/none", 2, "does not exist"},
		{sdk.Primary, dir + "/file", 2, "is not a directory"},
		{sdk.Primary, "rel", 2, "is not absolute"},
		{sdk.Primary, dir, 0, "jobs must be"},
		{sdk.Primary, dir, 65, "jobs must be"},
		{sdk.Secondary, dir + "/dir", 2, ""},
		{sdk.Secondary, dir + "/new", 2, ""},
		{sdk.Secondary, dir + "/new/deeper", 2, "neither"},
		{sdk.Secondary, dir + "/file", 2, "is not a directory"},
		{sdk.Secondary, dir + "/file/x", 2, "cannot be reached"},
		{sdk.Secondary, dir + "/dangling", 2, "leads nowhere"},
	} {
		req := sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: c.path}, Role: c.role, Config: schema.Values{"jobs": c.jobs}}
		var got []string
		for _, d := range file.New(nil).Check(t.Context(), req) {
			if !d.Warning {
				got = append(got, d.Summary)
			}
		}
		switch {
		case c.want == "" && len(got) == 0:
		case c.want != "" && len(got) == 1 && strings.Contains(got[0], c.want):
		default:
			t.Errorf("%s %s: %q, want %q", c.role, c.path, got, c.want)
		}
	}
	if _, err := os.Lstat(dir + "/new"); err == nil {
		t.Error("Check made a directory")
	}
}

func TestBusyNamesProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, false)
	_, err := file.New(nil).OpenTarget(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: dir}, Role: sdk.Secondary, MarkKey: "k"})
	if sdk.KindOf(err) != sdk.KindBusy || !strings.Contains(err.Error(), "another mirror writes to "+dir) {
		t.Errorf("%v", err)
	}
	t.Log(err)
}
