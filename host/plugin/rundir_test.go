package plugin

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestRunDirEmptied removes a runtime directory while the directories of plugins that
// just ended are removed from it.
func TestRunDirEmptied(t *testing.T) {
	base := t.TempDir()
	for range 50 {
		d, err := newRunDir(base, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var dirs []string
		for i := range 20 {
			dir := filepath.Join(d.path, strconv.Itoa(i))
			if err := os.MkdirAll(filepath.Join(dir, "sockets"), 0o700); err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, dir)
		}
		done := make(chan error)
		go func() {
			for _, dir := range dirs {
				if err := os.RemoveAll(dir); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		if err := d.remove(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(d.path); !os.IsNotExist(err) {
			t.Fatalf("%s is still there: %v", d.path, err)
		}
	}
}
