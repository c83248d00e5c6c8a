package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Save replaces the record called name by v, as JSON, in one step and durably.
func (d *Dir) Save(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	final := filepath.Join(d.path, name+".json")
	if err := writeDurably(final+".new", append(data, '\n')); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	if err := os.Rename(final+".new", final); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	if err := syncDir(d.path); err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return nil
}

// Load reads the record called name into v. A record that is not there leaves v
// as it is. One that cannot be read is an error: a binding that nobody can read
// must not be taken for none.
func (d *Dir) Load(name string, v any) error {
	data, err := os.ReadFile(filepath.Join(d.path, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("load %s from %s: %w", name, d.path, err)
	}
	return nil
}

func writeDurably(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(path string) (err error) {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
