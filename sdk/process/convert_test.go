package process

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

func TestMarksCross(t *testing.T) {
	for _, op := range []sdk.Op{
		{Kind: sdk.OpSetMark, Path: "d", Mark: []byte("m"), Native: sdk.NativeXTime{Sec: 1, Usec: 2}},
		{Kind: sdk.OpSetVolumeMark, Path: sdk.Root, VolumeMark: sdk.VolumeMark{Volume: sdk.UUID{1, 15: 2}, Since: sdk.NativeXTime{Sec: 3}, Until: sdk.Time{Sec: 4, Nsec: 5}}},
	} {
		got, err := opFromWire(opToWire(&op))
		if diff := cmp.Diff(op, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	req := sdk.OpenRequest{Address: sdk.Address{Scheme: "s", Rest: "r"}, Role: sdk.Secondary, Config: schema.Values{}, MarkKey: "k", Volume: sdk.UUID{9}}
	m, err := openToWire(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openFromWire(m, sdk.Descriptor{})
	if diff := cmp.Diff(req, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	m.Volume = m.Volume[:5]
	if _, err := openFromWire(m, sdk.Descriptor{}); err == nil {
		t.Error("a UUID of five bytes passed")
	}
}
