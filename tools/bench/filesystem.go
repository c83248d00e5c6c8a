package main

import (
	"errors"
	"fmt"
	"strings"
)

// filesystem is how one of its type is made and mounted.
type filesystem struct {
	mkfs    []string
	options string
	// restart is the target of a restart, of a walk with find.
	restart float64
}

const defaultFilesystem = "ext4"

// Of ext4, inode tables are neither zeroed now nor in the background later, when
// it would disturb a measurement. btrfs itself knows what changed since.
var filesystems = map[string]filesystem{
	"ext4":  {mkfs: []string{"mkfs.ext4", "-q", "-F", "-i", "8192", "-m", "0", "-E", "lazy_itable_init=1"}, options: "loop,noinit_itable", restart: 1.5},
	"xfs":   {mkfs: []string{"mkfs.xfs", "-q", "-f"}, options: "loop", restart: 1.5},
	"btrfs": {mkfs: []string{"mkfs.btrfs", "-q", "-f"}, options: "loop", restart: 0.1},
}

// parseFilesystems reads a list of filesystems.
func parseFilesystems(list string) ([]string, error) {
	names := strings.Split(list, ",")
	for _, name := range names {
		if _, ok := filesystems[name]; !ok {
			return nil, fmt.Errorf("-fs: no filesystem %q, only ext4, xfs, btrfs", name)
		}
	}
	return names, nil
}

// everywhere measures on each of the filesystems that were asked for. One that
// fails does not stop the others.
func (b *bench) everywhere(run func() ([]row, error)) (rows []row, err error) {
	before := b.fs
	defer func() { b.fs = before }()
	for _, b.fs = range b.filesystems {
		got, failed := run()
		rows = append(rows, got...)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("on %s: %w", b.fs, failed))
		}
	}
	return rows, err
}
