package wasmtest

import (
	"encoding/binary"
	"slices"
)

// Module says what a module put together by hand has. The zero value is the least
// that is a guest, but for its version, which is 0.
type Module struct {
	Without string    // the export that is missing, "memory" among them
	Wrong   string    // the exported function that takes nothing and returns nothing
	Version byte      // what gsyncd_abi_version returns
	Import  [2]string // module and name of a function that it imports
}

// Types of functions, by their place in the type section.
const (
	typeNothing = iota // () -> ()
	typeVersion        // () -> i32
	typeAlloc          // (i32) -> i32
	typeCall           // (i32, i32, i32) -> i64
)

// Assemble makes the module. Its gsyncd_call traps.
func (m Module) Assemble() []byte {
	const i32, i64 = 0x7f, 0x7e
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, vector(
		[]byte{0x60, 0, 0}, []byte{0x60, 0, 1, i32}, []byte{0x60, 1, i32, 1, i32}, []byte{0x60, 3, i32, i32, i32, 1, i64}))
	first := byte(0)
	if m.Import[0] != "" {
		out = section(out, 2, vector(slices.Concat(name(m.Import[0]), name(m.Import[1]), []byte{0, typeNothing})))
		first = 1
	}
	bodies := [][]byte{
		{0x41, m.Version, 0x0b}, // i32.const
		{0x41, 16, 0x0b},        // i32.const
		{0x00, 0x0b},            // unreachable
	}
	names := []string{"gsyncd_abi_version", "gsyncd_alloc", "gsyncd_call"}
	var types, exports, codes [][]byte
	for i, n := range names {
		kind := byte(typeVersion + i)
		if n == m.Wrong {
			kind, bodies[i] = typeNothing, []byte{0x0b}
		}
		types = append(types, []byte{kind})
		codes = append(codes, append([]byte{byte(len(bodies[i]) + 1), 0}, bodies[i]...))
		if n != m.Without {
			exports = append(exports, append(name(n), 0, first+byte(i)))
		}
	}
	if m.Without != "memory" {
		exports = append(exports, append(name("memory"), 2, 0))
	}
	out = section(out, 3, vector(types...))
	out = section(out, 5, vector([]byte{0, 1})) // one page
	out = section(out, 7, vector(exports...))
	return section(out, 10, vector(codes...))
}

func section(out []byte, id byte, body []byte) []byte {
	out = append(out, id)
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

func vector(items ...[]byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...)...)
}

func name(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }
