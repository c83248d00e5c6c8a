//go:build !wasip1

package manifest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Name is what the driver looks for, unless it is told another name.
const Name = "MANIFEST.jsonl"

// unfinished begins the names of manifests that are being made.
const unfinished = ".manifest-"

// Make writes the manifest of a directory into it. It takes the place of an earlier
// one in one step. A file that changes meanwhile is an error.
func Make(root string) error {
	f, err := os.CreateTemp(root, unfinished)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is gone if all went well
	defer f.Close()
	out := bufio.NewWriter(f)
	w, err := NewWriter(out)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == Name || strings.HasPrefix(rel, unfinished) {
			return err
		}
		e, err := entry(path, rel, d)
		if err != nil {
			return err
		}
		return w.Write(e)
	})
	if err := errors.Join(err, w.Close(), out.Flush(), f.Chmod(0o644), f.Sync()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(root, Name))
}

func entry(path, rel string, d fs.DirEntry) (Entry, error) {
	e := Entry{Path: Encode(rel)}
	info, err := d.Info()
	if err != nil {
		return e, err
	}
	st := info.Sys().(*syscall.Stat_t)
	e.Mtime, e.Mode = info.ModTime().UTC(), fmt.Sprintf("%04o", st.Mode&0o7777)
	e.UID, e.GID = st.Uid, st.Gid
	switch info.Mode().Type() {
	case fs.ModeDir:
		e.Type = Dir
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		e.Type, e.Target = Symlink, Encode(target)
		return e, err
	case 0:
		err := file(&e, path, info)
		return e, err
	default:
		return e, fmt.Errorf("%q is neither a file, a directory nor a symlink; a web server cannot serve it", rel)
	}
	return e, nil
}

// file adds the checksum, if the file holds still meanwhile.
func file(e *Entry, path string, before fs.FileInfo) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	after, err := f.Stat()
	if err != nil {
		return err
	}
	if n != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return fmt.Errorf("%q changes while it is read; try again", path)
	}
	e.Size, e.SHA256 = n, hex.EncodeToString(h.Sum(nil))
	return nil
}
