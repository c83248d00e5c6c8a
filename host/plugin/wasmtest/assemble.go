package wasmtest

import (
	"encoding/binary"
	"maps"
	"slices"
)

// Module says what a module put together by hand has. The zero value is the least
// that is a guest, but for its version, which is 0.
type Module struct {
	Without string    // the export that is missing, "memory" among them
	Wrong   string    // the exported function that takes nothing and returns nothing
	Version byte      // what gsyncd_abi_version returns
	Import  [2]string // module and name of a function that it imports
	// Answers are given to calls of a method; those without one trap. Raw are results
	// of gsyncd_call as they are, such as ones that point nowhere.
	Answers map[byte][]byte
	Raw     map[byte]uint64
}

// Types of functions, by their place in the type section.
const (
	typeNothing = iota // () -> ()
	typeVersion        // () -> i32
	typeAlloc          // (i32) -> i32
	typeCall           // (i32, i32, i32) -> i64
)

// answerAt is where the answer lies in memory.
const answerAt = 1024

// Assemble makes the module.
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
	var data []byte
	if len(m.Answers)+len(m.Raw) > 0 {
		bodies[2], data = m.call()
	}
	names := []string{"gsyncd_abi_version", "gsyncd_alloc", "gsyncd_call"}
	var types, exports, codes [][]byte
	for i, n := range names {
		kind := byte(typeVersion + i)
		if n == m.Wrong {
			kind, bodies[i] = typeNothing, []byte{0x0b}
		}
		types = append(types, []byte{kind})
		codes = append(codes, append(append(binary.AppendUvarint(nil, uint64(len(bodies[i])+1)), 0), bodies[i]...))
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
	out = section(out, 10, vector(codes...))
	if data == nil {
		return out
	}
	at := append(signed([]byte{0, 0x41}, answerAt), 0x0b) // in memory 0, at i32.const
	return section(out, 11, vector(slices.Concat(at, name(string(data)))))
}

// call returns the body of gsyncd_call and the answers, one behind the other.
func (m Module) call() (body, data []byte) {
	result := func(method byte, value int64) {
		body = append(signed(append(body, 0x20, 0, 0x41), int64(method)), 0x46, 0x04, 0x40) // local.get 0, i32.const, i32.eq, if
		body = append(signed(append(body, 0x42), value), 0x0f, 0x0b)                        // i64.const, return, end
	}
	for _, method := range slices.Sorted(maps.Keys(m.Answers)) {
		result(method, (answerAt+int64(len(data)))<<32|int64(len(m.Answers[method])))
		data = append(data, m.Answers[method]...)
	}
	for method, value := range m.Raw {
		result(method, int64(value))
	}
	return append(body, 0x00, 0x0b), data // unreachable, end
}

func section(out []byte, id byte, body []byte) []byte {
	out = append(out, id)
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...)
}

func vector(items ...[]byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...)...)
}

// signed appends a number in LEB128.
func signed(b []byte, n int64) []byte {
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

func name(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }
