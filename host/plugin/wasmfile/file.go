package wasmfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// MaxSize is the largest module, in bytes.
const MaxSize = 256 << 20

// File is a module that was read. What is hashed, described and compiled are the
// same bytes.
type File struct {
	Path string
	Data []byte
	Sum  [sha256.Size]byte
}

// Read reads a module. With a sum it must have that; else it is refused. It also
// refuses what is no module. Errors name the file.
func Read(path string, sum []byte) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, Data: data, Sum: sha256.Sum256(data)}
	if sum != nil && !bytes.Equal(sum, f.Sum[:]) {
		return nil, fmt.Errorf("%s: its SHA-256 checksum is %x, not %x", path, f.Sum, sum)
	}
	if err := checkHeader(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func readFile(path string) ([]byte, error) {
	r, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file", path)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	switch st, err := r.Stat(); {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", path)
	case st.Size() > MaxSize:
		return nil, fmt.Errorf("%s: larger than %d MiB", path, MaxSize>>20)
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = fmt.Errorf("%s: larger than %d MiB", path, MaxSize>>20)
	}
	return data, err
}

// Hex is the checksum as the configuration has it.
func (f *File) Hex() string { return hex.EncodeToString(f.Sum[:]) }

// Manifest returns what the module says of itself without being run. found is false
// if it has no manifest; "plugin pack" adds one.
func (f *File) Manifest() (d sdk.Descriptor, found bool, err error) {
	text, found, err := section(f.Data)
	if err == nil && found {
		d, err = wire.DecodeManifest(text)
	}
	if err != nil {
		return d, found, fmt.Errorf("%s: manifest: %w", f.Path, err)
	}
	return d, found, nil
}
