package wasmfile

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/gsyncd/gsyncd-host/sdk/wasm"
)

// A module begins with eight bytes: a magic word, a version and a layer. Sections
// follow: a number, a length in LEB128, a body. A custom one has the number 0 and
// begins its body with a name.
const (
	headerSize    = 8
	magic         = "\x00asm"
	moduleKind    = "\x01\x00\x00\x00"
	customSection = 0
)

var errSections = errors.New("damaged: its sections do not fit together")

func checkHeader(data []byte) error {
	switch {
	case len(data) < headerSize || string(data[:4]) != magic:
		return errors.New("not a WASM module")
	case string(data[4:8]) == moduleKind:
		return nil
	case data[6] == 1 && data[7] == 0:
		return errors.New("a WASM component, and guests are core modules: build for wasip1, without the component step")
	}
	return errors.New("a WASM module of a version that is not known")
}

// sections calls f with each section: its number, its body, and where it begins and
// ends in data.
func sections(data []byte, f func(id byte, body []byte, begin, end int) error) error {
	for at := headerSize; at < len(data); {
		size, n := binary.Uvarint(data[at+1:])
		if n <= 0 || n > 5 || size > uint64(len(data)-at-1-n) {
			return errSections
		}
		begin, end := at+1+n, at+1+n+int(size)
		if err := f(data[at], data[begin:end], at, end); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// manifestOf returns the body of our section behind its name.
func manifestOf(id byte, body []byte) ([]byte, bool) {
	if id != customSection {
		return nil, false
	}
	size, n := binary.Uvarint(body)
	if n <= 0 || size > uint64(len(body)-n) || string(body[n:n+int(size)]) != wasm.Section {
		return nil, false
	}
	return body[n+int(size):], true
}

// section finds the manifest. Two of them are an error: they would disagree.
func section(data []byte) (text []byte, found bool, err error) {
	err = sections(data, func(id byte, body []byte, _, _ int) error {
		if t, ok := manifestOf(id, body); ok {
			if found {
				return errors.New("there are two")
			}
			text, found = t, true
		}
		return nil
	})
	return text, found, err
}

// Pack returns the module with a manifest, which replaces one that was there.
func Pack(data, manifest []byte) ([]byte, error) {
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, len(data)+len(manifest)+64))
	out.Write(data[:headerSize])
	err := sections(data, func(id byte, body []byte, begin, end int) error {
		if _, ours := manifestOf(id, body); !ours {
			out.Write(data[begin:end])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	body := binary.AppendUvarint(nil, uint64(len(wasm.Section)))
	body = append(append(body, wasm.Section...), manifest...)
	out.WriteByte(customSection)
	out.Write(binary.AppendUvarint(nil, uint64(len(body))))
	out.Write(body)
	return out.Bytes(), nil
}
