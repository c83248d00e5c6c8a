package wasmfile

import (
	"bytes"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmtest"
)

// Packing changes the manifest and nothing else, and packing twice is packing once.
func TestPack(t *testing.T) {
	module := wasmtest.Module{Version: 1}.Assemble()
	one, err := Pack(module, []byte(`{"a":1}`))
	if err != nil || !bytes.HasPrefix(one, module) {
		t.Fatal(err)
	}
	two, err := Pack(one, []byte(`{"b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if text, found, err := section(two); err != nil || !found || string(text) != `{"b":2}` {
		t.Errorf("%q %v %v", text, found, err)
	}
	if again, err := Pack(two, []byte(`{"a":1}`)); err != nil || !bytes.Equal(again, one) {
		t.Error("not as it was", err)
	}
	twice := append(bytes.Clone(one), one[len(module):]...)
	if _, _, err := section(twice); err == nil {
		t.Error("two manifests, and no word of it")
	}
}

// Whatever a file holds, it is read without a panic, and what can be packed can be
// read.
func FuzzSections(f *testing.F) {
	f.Add(wasmtest.Module{Version: 1, Answers: map[byte][]byte{1: []byte("x")}}.Assemble())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = section(data)
		out, err := Pack(data, []byte("m"))
		if err != nil {
			return
		}
		if text, found, err := section(out); err != nil || !found || string(text) != "m" {
			t.Fatalf("%q %v %v", text, found, err)
		}
	})
}
