package config

// Options say what to load and what to know of the world.
type Options struct {
	// Path is a file, or a directory whose *.hcl files are read together.
	Path string
	// PluginsOnly: it does not matter if no mirror is declared.
	PluginsOnly bool
	// Vars holds values of variables, which go before their defaults.
	Vars map[string]string
	// Env looks up environment variables; nil: none is set.
	Env func(name string) (string, bool)
	// Schemes are those of the built-in drivers.
	Schemes []string
	// Transfers are the names of the built-in transfer methods that are
	// plugins. "auto" and "stream" need not be named.
	Transfers []string
	// Installed gives the file of a driver for a scheme that is there and not
	// declared, or ""; it is for hints. nil: none is.
	Installed func(scheme string) string
	// EvalSymlinks resolves a path (filepath.EvalSymlinks); nil: paths are
	// compared as they are.
	EvalSymlinks func(path string) (string, error)
	// Origin gives a directory the name that it has in common with all its names,
	// those by other mounts of its filesystem as well; nil: mounts do not matter.
	Origin func(path string) (string, error)
}
