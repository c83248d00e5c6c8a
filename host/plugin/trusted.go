package plugin

import (
	"fmt"
	"os"
	"path/filepath"
)

// trusted refuses an executable that anybody may write or replace: between the
// check of its checksum and its start it could become another one.
func trusted(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at plugin: %w", err)
	}
	if !fi.Mode().IsRegular() || fi.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("plugin %s is not an executable file", path)
	}
	if fi.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("plugin %s may be written by everybody", path)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("look at plugin: %w", err)
	}
	if dir.Mode().Perm()&0o002 != 0 && dir.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("the directory of plugin %s may be written by everybody", path)
	}
	return nil
}
