package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// Host holds the settings of the host block. What is not set has its zero
// value, and the host chooses.
type Host struct {
	StateDir   string   // absolute path
	PluginDirs []string // absolute paths, searched in order
	LogLevel   string   // debug, info, warn or error
	LogFormat  string   // text or json
}

var hostSchema = schema.Schema{
	{Name: "state_dir", Type: schema.String, Doc: "directory for the state of mirrors"},
	{Name: "plugin_dirs", Type: schema.Strings, Doc: "directories where plugins are looked for"},
	{Name: "log_level", Type: schema.String, OneOf: []string{"debug", "info", "warn", "error"}},
	{Name: "log_format", Type: schema.String, OneOf: []string{"text", "json"}},
}

func (l *loader) host(b *hclsyntax.Block) {
	if !l.labels(b) || !l.once("host", "the host block", diag.FromHCL(b.DefRange())) {
		return
	}
	c := l.decode(b, layout{what: "host", attrs: hostSchema})
	l.cfg.Host = Host{
		StateDir:   c.values.String("state_dir"),
		PluginDirs: c.values.Strings("plugin_dirs"),
		LogLevel:   c.values.String("log_level"),
		LogFormat:  c.values.String("log_format"),
	}
	if expr := c.exprs["state_dir"]; expr != nil {
		l.absolute("state_dir", l.cfg.Host.StateDir, expr)
	}
	for _, dir := range l.cfg.Host.PluginDirs {
		l.absolute("plugin_dirs", dir, c.exprs["plugin_dirs"])
	}
}

func (l *loader) absolute(name, path string, expr hclsyntax.Expression) {
	if !filepath.IsAbs(path) {
		l.fail(diag.FromHCL(expr.Range()), "write the whole path, from / on", "%s: %q is not an absolute path", name, path)
	}
}
