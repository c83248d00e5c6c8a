package rsync

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestBlockSize(t *testing.T) {
	for size, want := range map[int64]int64{
		0: 0, 1 << 20: 0, 16 << 20: 0, 16<<20 + 1: 4 << 10, 1 << 30: 4 << 10, 2 << 30: 4 << 10, 2<<30 + 1: 8 << 10,
		32 << 30: 64 << 10, 64 << 30: 128 << 10, 1 << 50: 128 << 10,
	} {
		if got := blockSize(size); got != want {
			t.Errorf("blocks of %d for %d bytes, want %d", got, size, want)
		}
	}
}

func TestGroups(t *testing.T) {
	files := []sdk.File{
		{Name: "0", Size: 1 << 30, Basis: true}, {Name: "1", Size: 10, Basis: true}, {Name: "2", Size: 8 << 30, Basis: true},
		{Name: "3", Size: 1 << 30}, {Name: "4", Size: 2 << 30, Basis: true},
	}
	far, near := &place{shell: []string{"sh"}}, &place{}
	for _, c := range []struct {
		name   string
		at     *place
		values schema.Values
		want   map[int64]string
	}{
		{"far", far, nil, map[int64]string{4096: "04", 0: "13", 16384: "2"}},
		{"near", near, nil, map[int64]string{0: "01234"}},
		{"the user's own", far, schema.Values{attrOptions: []string{"--block-size=700"}}, map[int64]string{0: "01234"}},
		{"whole", far, schema.Values{attrWhole: true}, map[int64]string{0: "01234"}},
	} {
		cfg, err := settings().WithDefaults(c.values)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int64]string{}
		for _, g := range groups(files, c.at, cfg) {
			for _, f := range g.files {
				got[g.block] += f.Name
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if n := len(groups(make([]sdk.File, 2*maxFiles+1), near, nil)); n != 3 {
		t.Errorf("%d groups", n)
	}
}
