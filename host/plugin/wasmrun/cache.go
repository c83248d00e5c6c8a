package wasmrun

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tetratelabs/wazero"
)

// openCache opens the place where compiled modules are kept. They are machine code,
// so it must be this user's alone. dir "" means the user's cache directory.
func openCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find cache directory: %w", err)
		}
		dir = filepath.Join(base, "gsyncd-host", "wasm")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make cache directory: %w", err)
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at cache directory: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !st.IsDir() || !ok || int(sys.Uid) != os.Geteuid() || st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("cache directory %s must be this user's alone: chmod 700 it, or remove it", dir)
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache directory: %w", err)
	}
	return cache, nil
}
