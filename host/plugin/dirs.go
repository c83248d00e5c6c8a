package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// UserDir is where a user's plugins are installed: in XDG_DATA_HOME if that is set,
// else below /var/lib for root, and in the user's data directory for others; "" if
// there is none.
func UserDir(root bool, getenv func(string) string) string {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gsyncd-host", "plugins")
	}
	if root {
		return "/var/lib/gsyncd-host/plugins"
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "gsyncd-host", "plugins")
	}
	return ""
}

// LibexecDir is where a package of the program at executable puts plugins.
func LibexecDir(executable string) string {
	return filepath.Join(filepath.Dir(filepath.Dir(executable)), "libexec", "gsyncd-host", "plugins")
}

// Find finds a plugin's file: an absolute path, or a name in one of the plugin
// directories, the first that has it. $PATH is never searched.
func Find(source string, dirs []string) (string, error) {
	candidates := []string{source}
	if !filepath.IsAbs(source) {
		candidates = nil
		for _, dir := range dirs {
			candidates = append(candidates, filepath.Join(dir, source))
		}
	}
	for _, path := range candidates {
		switch st, err := os.Stat(path); {
		case err == nil && !st.Mode().IsRegular():
			return "", fmt.Errorf("%s is not a file", path)
		case err == nil:
			return path, nil
		case filepath.IsAbs(source) || !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("the plugin's file: %w", err)
		}
	}
	return "", fmt.Errorf("the plugin's file %q is in none of the plugin directories: %s", source, strings.Join(dirs, ", "))
}

// Found is a file in a plugin directory whose name says that it is a plugin.
type Found struct {
	Kind Kind
	Name string
	Path string
	// Hidden: a file of the same kind and name in an earlier directory is found
	// instead.
	Hidden bool
}

// Guest reports whether it is a WASM module.
func (f *Found) Guest() bool { return strings.HasSuffix(f.Path, guestSuffix) }

// The names of plugins' files.
const (
	driverPrefix   = "gsyncd-driver-"
	transferPrefix = "gsyncd-transfer-"
	guestSuffix    = ".driver.wasm"
)

var nameRX = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// List looks for plugins in directories, in their order; those that do not exist
// are passed over. It goes by names: nothing is opened, nothing is run. What could
// be read is returned also with an error.
func List(dirs []string) (out []Found, err error) {
	var errs []error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("look for plugins: %w", err))
		}
		for _, e := range entries {
			f, ok := ByName(e.Name())
			if !ok {
				continue
			}
			f.Path = filepath.Join(dir, e.Name())
			if st, err := os.Stat(f.Path); err != nil || !st.Mode().IsRegular() {
				continue
			}
			f.Hidden = slices.ContainsFunc(out, func(o Found) bool { return o.Kind == f.Kind && o.Name == f.Name })
			out = append(out, f)
		}
	}
	return out, errors.Join(errs...)
}

// ByName tells what a file of a plugin directory is by its name.
func ByName(file string) (Found, bool) {
	f := Found{Kind: KindDriver}
	switch {
	case strings.HasSuffix(file, guestSuffix):
		f.Name = strings.TrimSuffix(file, guestSuffix)
	case strings.HasPrefix(file, driverPrefix):
		f.Name = strings.TrimPrefix(file, driverPrefix)
	case strings.HasPrefix(file, transferPrefix):
		f.Kind, f.Name = KindTransfer, strings.TrimPrefix(file, transferPrefix)
	}
	return f, nameRX.MatchString(f.Name)
}

// FileName is the name under which a plugin's file is found in a directory.
func FileName(kind Kind, name string, guest bool) string {
	switch {
	case guest:
		return name + guestSuffix
	case kind == KindTransfer:
		return transferPrefix + name
	}
	return driverPrefix + name
}
