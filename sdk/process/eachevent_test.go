package process

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// collect decodes a message, with copies of what is valid during the call only.
func collect(b []byte) (got []*wirepb.FileEvent, err error) {
	err = eachEvent(b, func(e *wirepb.FileEvent) error {
		got = append(got, proto.CloneOf(e))
		return nil
	})
	return got, err
}

// TestEachEvent compares what it decodes with what the generated code does.
func TestEachEvent(t *testing.T) {
	m := &wirepb.WriteRequest{Resource: 7, Events: []*wirepb.FileEvent{
		{Kind: wirepb.FileEvent_BEGIN, Path: []byte("a/b"), Size: 9, Meta: &wirepb.Meta{Mask: 3, Xattrs: []*wirepb.Xattr{{Name: []byte("user.x"), Value: []byte("y")}}}},
		{Kind: wirepb.FileEvent_DATA, Offset: 1, Data: []byte("some data"), Keep: true, Error: &wirepb.Error{Op: []byte("after the data")}},
		{}, // nothing of the one before is left
		{Kind: wirepb.FileEvent_DATA, Offset: 1 << 40, Data: make([]byte, 300<<10)},
		{Kind: wirepb.FileEvent_END, Index: 5, Entry: []byte("row")},
	}}
	whole, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	// Odd, but what the generated code takes: data twice, of which the last counts,
	// and fields and groups that nobody knows.
	inner := protowire.AppendBytes(protowire.AppendTag(nil, fieldData, protowire.BytesType), []byte("first"))
	inner = protowire.AppendVarint(protowire.AppendTag(inner, 99, protowire.VarintType), 4)
	inner = protowire.AppendBytes(protowire.AppendTag(inner, fieldData, protowire.BytesType), []byte("last"))
	inner = protowire.AppendGroup(protowire.AppendTag(inner, 98, protowire.StartGroupType), 98, nil)
	odd := protowire.AppendBytes(protowire.AppendTag(whole, fieldEvents, protowire.BytesType), inner)
	for _, b := range [][]byte{nil, whole, odd} {
		var want wirepb.WriteRequest
		if err := proto.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		got, err := collect(b)
		if err != nil || !proto.Equal(&wirepb.WriteRequest{Resource: want.Resource, Events: got}, &want) {
			t.Errorf("%d bytes: %d events, error %v; want %d", len(b), len(got), err, len(want.Events))
		}
	}
	got, err := collect(odd)
	if err != nil || string(got[len(got)-1].Data) != "last" {
		t.Errorf("the last event has %q, error %v", got[len(got)-1].Data, err)
	}
}

// TestEachEventRefuses: what the generated code does not take is refused, as is
// what would take too much memory.
func TestEachEventRefuses(t *testing.T) {
	event := func(inner []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, fieldEvents, protowire.BytesType), inner)
	}
	empty := make([]byte, 0, 2*(maxElements+1))
	for range maxElements + 1 {
		empty = append(empty, event(nil)...)
	}
	for name, b := range map[string][]byte{
		"cut tag":       {0x80},
		"cut event":     event([]byte("12345"))[:4],
		"cut data":      event(protowire.AppendTag(nil, fieldData, protowire.BytesType)),
		"bad attribute": event(protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), []byte{0x80})),
		"many events":   empty,
	} {
		if got, err := collect(b); sdk.KindOf(err) != sdk.KindInput {
			t.Errorf("%s: %d events, error %v", name, len(got), err)
		}
	}
}
