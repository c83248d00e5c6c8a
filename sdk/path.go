package sdk

import (
	"fmt"
	"strings"
)

// Path names an entry below a resource's root: components joined by '/', "."
// for the root. The bytes of a component are free but for NUL and '/'.
type Path string

// Root is the path of a resource's root directory.
const Root Path = "."

const (
	// MaxName is the longest component, in bytes (NAME_MAX of Linux).
	MaxName = 255
	// MaxPath is the longest path, in bytes. It is beyond PATH_MAX: trees
	// deeper than one system call can name are legal.
	MaxPath = 32 << 10
)

// Validate reports a path that no well-behaved peer sends: empty, absolute,
// too long, or with a component that is empty, "." or "..".
func (p Path) Validate() error {
	if p == Root {
		return nil
	}
	if len(p) > MaxPath {
		return fmt.Errorf("path of %d bytes is longer than %d", len(p), MaxPath)
	}
	rest := string(p)
	for {
		name, after, more := strings.Cut(rest, "/")
		if err := ValidateName(name); err != nil {
			return fmt.Errorf("path %q: %w", string(p), err)
		}
		if !more {
			return nil
		}
		rest = after
	}
}

// ValidateName reports a string that cannot be the name of a directory entry.
func ValidateName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty name")
	case name == "." || name == "..":
		return fmt.Errorf("name %q leads out of its directory", name)
	case len(name) > MaxName:
		return fmt.Errorf("name of %d bytes is longer than %d", len(name), MaxName)
	case strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("name %q holds a separator or NUL", name)
	}
	return nil
}

// Join returns the path of the entry called name in directory p.
func (p Path) Join(name string) Path {
	if p == Root {
		return Path(name)
	}
	return p + "/" + Path(name)
}

// Split returns the directory that holds p and p's name in it. The root splits
// into itself and ".".
func (p Path) Split() (dir Path, name string) {
	if i := strings.LastIndexByte(string(p), '/'); i >= 0 {
		return p[:i], string(p[i+1:])
	}
	return Root, string(p)
}

// Dir returns the directory that holds p; the root's is the root.
func (p Path) Dir() Path {
	dir, _ := p.Split()
	return dir
}

// Base returns p's name in its directory.
func (p Path) Base() string {
	_, name := p.Split()
	return name
}

// Within reports whether p is dir or lies below it.
func (p Path) Within(dir Path) bool {
	return dir == Root || p == dir || (len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir)
}

// ReservedPrefix begins the names that the program keeps for itself on a
// secondary: files on their way into place, and the directory in which a
// transfer method works. Entries so named are never mirrored.
const ReservedPrefix = ".gsyncd-host."

// ReservedXattr is the infix of the extended attributes that the program keeps
// for itself ("user.gsyncd-host.…", "trusted.gsyncd-host.…"). A driver neither
// lists nor removes them.
const ReservedXattr = "gsyncd-host."

// Reserved reports whether name is the program's own.
func Reserved(name string) bool { return strings.HasPrefix(name, ReservedPrefix) }
