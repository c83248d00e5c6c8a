package plugin

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// Kind says what a plugin is.
type Kind string

// The kinds.
const (
	KindDriver   Kind = "driver"
	KindTransfer Kind = "transfer"
)

// Isolation says where a plugin runs.
type Isolation uint8

// The isolations. Only a built-in plugin can run in the host's own process; a
// crash of it is then a crash of the host.
const (
	IsolateProcess Isolation = iota
	IsolateNone
)

// Registry is what can be started. It is not changed once a Supervisor has it.
type Registry struct {
	// Executable is the host's own program, which serves the built-in plugin X
	// when called with "plugin X". "" means /proc/self/exe: that very program,
	// even if another version has been put in its place meanwhile.
	Executable string
	Drivers    map[string]func(*slog.Logger) sdk.Driver
	Transfers  map[string]func(*slog.Logger) sdk.Transfer
	// Env names, by plugin, the variables that a built-in one gets beside those
	// that every plugin does.
	Env      map[string][]string
	Declared []Declaration
}

// Declaration is a plugin block of the configuration. With a Path it declares a
// third party's plugin, which goes before a built-in one of the same name;
// without one it changes how the built-in one runs.
type Declaration struct {
	Kind Kind
	Name string
	// Path is the program's, absolute. One that ends in ".wasm" is a module, a
	// guest of the host's own runner; such a one is a driver and has no Args and
	// no Env.
	Path   string
	Args   []string // without the program's own name
	SHA256 []byte   // the checksum of the file at Path, which there must be
	// Env names variables that are passed on beside those that always are.
	Env          []string
	Isolation    Isolation
	StartTimeout time.Duration // 0: 10 seconds, and a minute for a guest, which may have to be compiled
	CallTimeout  time.Duration // 0: as process.Timeouts says
	// Limits hold a guest; a process has none but the timeouts above.
	Limits Limits
	// Grants are what the plugin may reach through the host, and nothing more if it
	// is a guest. Only for one with a Path. Values of headers are read when the
	// plugin is started.
	Grants grant.Config
	// Repack takes a guest for what it says when it is run: a manifest in its file is
	// not looked at, since it is about to be replaced.
	Repack bool
	// Trusted runs a guest without the checks by which a loop in it can be ended.
	// It is faster, and a guest that hangs takes its runner with it.
	Trusted bool
}

// Limits hold a guest.
type Limits struct {
	// Memory is the most that each of its instances may have, in bytes, rounded up
	// to 64 KiB; 0 means 256 MiB. An open resource has one instance, or a few.
	Memory int64
	// CallTimeout bounds the time in which a guest must answer one message: a batch
	// of rows or a piece of a file. 0 means 30 seconds. The timeout of the
	// Declaration bounds the runner's answers.
	CallTimeout time.Duration
}

// MaxMemory is the largest Limits.Memory: all that a guest can address.
const MaxMemory = 4 << 30

// Guest reports whether the plugin is a module for the runner.
func (d *Declaration) Guest() bool { return strings.HasSuffix(d.Path, ".wasm") }

// Validate checks the declarations against each other and the built-in plugins.
func (r *Registry) Validate() error {
	seen := map[string]bool{}
	for i := range r.Declared {
		d := &r.Declared[i]
		key := string(d.Kind) + " " + d.Name
		if err := r.check(d); err != nil {
			return fmt.Errorf("plugin %s: %w", key, err)
		}
		if seen[key] {
			return fmt.Errorf("plugin %s is declared twice", key)
		}
		seen[key] = true
	}
	return nil
}

func (r *Registry) check(d *Declaration) error {
	switch {
	case d.Kind != KindDriver && d.Kind != KindTransfer:
		return fmt.Errorf("kind %q is neither %q nor %q", d.Kind, KindDriver, KindTransfer)
	case d.Name == "":
		return fmt.Errorf("no name")
	case d.StartTimeout < 0 || d.CallTimeout < 0:
		return fmt.Errorf("negative timeout")
	case d.Path == "" && !slices.Contains(r.Names(d.Kind), d.Name):
		return fmt.Errorf("not built in, so it needs a path")
	case d.Path == "" && d.SHA256 != nil:
		return fmt.Errorf("a checksum, but no path")
	case d.Path == "" && !d.Grants.Empty():
		return fmt.Errorf("a built-in plugin needs no grants")
	case !d.Guest() && (d.Limits != Limits{} || d.Trusted):
		return fmt.Errorf("limits are for WASM modules, whose files end in .wasm")
	case d.Path == "":
		return nil
	case !filepath.IsAbs(d.Path):
		return fmt.Errorf("path %q is not absolute", d.Path)
	case d.SHA256 == nil:
		return fmt.Errorf("no SHA-256 checksum")
	case d.Isolation != IsolateProcess:
		return fmt.Errorf("only a built-in plugin can run in the host's process")
	}
	if err := d.Grants.Validate(); err != nil {
		return err
	}
	if err := d.checkGuest(); err != nil {
		return err
	}
	for _, name := range d.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("variable name %q", name)
		}
	}
	return nil
}

// checkGuest checks what only a guest has, or has not.
func (d *Declaration) checkGuest() error {
	switch {
	case !d.Guest():
		return nil
	case d.Kind != KindDriver:
		return fmt.Errorf("a WASM module can be a driver, not a %s", d.Kind)
	case len(d.Args)+len(d.Env) > 0:
		return fmt.Errorf("a WASM module has neither arguments nor environment")
	case d.Limits.Memory < 0 || d.Limits.Memory > MaxMemory:
		return fmt.Errorf("memory must be up to 4 GiB")
	case d.Limits.CallTimeout < 0:
		return fmt.Errorf("negative timeout")
	}
	return nil
}

// Names returns the names of all plugins of a kind, sorted.
func (r *Registry) Names(kind Kind) []string {
	var out []string
	if kind == KindDriver {
		for name := range r.Drivers {
			out = append(out, name)
		}
	} else {
		for name := range r.Transfers {
			out = append(out, name)
		}
	}
	for i := range r.Declared {
		if d := &r.Declared[i]; d.Kind == kind && d.Path != "" {
			out = append(out, d.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// find returns how a plugin is to be started.
func (r *Registry) find(kind Kind, name string) (Declaration, error) {
	for _, d := range r.Declared {
		if d.Kind == kind && d.Name == name {
			if d.Path == "" {
				d.Env = slices.Concat(r.Env[name], d.Env)
			}
			return d, nil
		}
	}
	if !slices.Contains(r.Names(kind), name) {
		return Declaration{}, fmt.Errorf("no %s %q; known are: %s", kind, name, strings.Join(r.Names(kind), ", "))
	}
	return Declaration{Kind: kind, Name: name, Env: r.Env[name]}, nil
}
