package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gsyncd/gsyncd-host/config"
	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// pluginDirs are the directories in which plugins are found, in order.
func pluginDirs(env *Env, cfg *config.Config) []string {
	dirs := slices.Clone(cfg.Host.PluginDirs)
	if user := plugin.UserDir(env.Root, env.getenv); user != "" {
		dirs = append(dirs, user)
	}
	if exe, err := env.Executable(); err == nil {
		dirs = append(dirs, plugin.LibexecDir(exe))
	}
	return dirs
}

// declare joins the plugin blocks to the built-in plugins. It looks at the files
// that they name, and runs nothing.
func declare(env *Env, cfg *config.Config) (*plugin.Registry, diag.List) {
	reg := *env.Plugins
	var diags diag.List
	for _, p := range cfg.Plugins {
		d := plugin.Declaration{
			Kind: plugin.Kind(p.Kind), Name: p.Name, Env: p.Env, StartTimeout: p.StartTimeout, CallTimeout: p.CallTimeout,
			Limits:  plugin.Limits{Memory: p.Limits.Memory, CallTimeout: p.Limits.CallTimeout},
			Trusted: p.Trusted, Grants: p.Allow,
		}
		if p.InProcess {
			d.Isolation = plugin.IsolateNone
		}
		if p.Source != "" {
			path, err := plugin.Find(p.Source, pluginDirs(env, cfg))
			if err != nil {
				diags.Add(diag.Diagnostic{
					Summary: err.Error(), Subject: p.SourceRange,
					Detail: "write the path of the file, or put it into one of the plugin directories",
				})
				continue
			}
			d.Path = path
			d.SHA256, _ = hex.DecodeString(p.SHA256) // its form was checked when it was loaded
			diags.Add(named(path, p.SourceRange)...)
			diags.Add(pinned(path, d.SHA256, p.SHA256Range)...)
			diags.Add(grantable(env, p)...)
		}
		reg.Declared = append(reg.Declared, d)
	}
	return &reg, diags
}

// named complains of a WASM module by whose name nobody can tell.
func named(path string, at diag.Range) diag.List {
	if strings.HasSuffix(path, ".wasm") || !isModule(path) {
		return nil
	}
	return diag.List{{Summary: fmt.Sprintf("%s is a WASM module, whose name must end in .wasm", path), Detail: "rename it", Subject: at}}
}

// isModule reports whether a file begins as WASM modules do.
func isModule(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "\x00asm"
}

// pinned compares a plugin's file with the checksum that is declared. Who starts
// it does so once more.
func pinned(path string, want []byte, at diag.Range) diag.List {
	got, err := sumOf(path)
	switch {
	case err != nil:
		return diag.List{{Summary: fmt.Sprintf("the plugin's file: %v", err), Subject: at}}
	case !bytes.Equal(got, want):
		return diag.List{{
			Summary: fmt.Sprintf("%s is not the file that was declared: its sha256 is another", path),
			Detail:  fmt.Sprintf("nothing of it was run; if it is the one that you want, write sha256 = \"%x\"", got),
			Subject: at,
		}}
	}
	return nil
}

func sumOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// grantable complains of grants that name what is not there, each at its place.
func grantable(env *Env, p *config.Plugin) diag.List {
	var alone []grant.Config
	for _, d := range p.Allow.Dirs {
		alone = append(alone, grant.Config{Dirs: []grant.DirConfig{d}})
	}
	for _, o := range p.Allow.HTTP {
		alone = append(alone, grant.Config{HTTP: []grant.OriginConfig{o}})
	}
	var diags diag.List
	for i := range alone {
		g, err := alone[i].Resolve(env.lookup)
		if err == nil {
			err = g.Reachable()
		}
		if err != nil {
			diags.Add(diag.Diagnostic{Summary: err.Error(), Subject: p.AllowRanges[i]})
		}
	}
	return diags
}

// startable starts every declared third party's plugin once, so that one that
// cannot be, or that claims what is another's, is complained of where it is
// declared.
func startable(ctx context.Context, sup *plugin.Supervisor, cfg *config.Config) diag.List {
	var diags diag.List
	owners := map[string]*config.Plugin{}
	for _, p := range cfg.Plugins {
		if p.Kind == config.DriverPlugin {
			owners[p.Name] = p
		}
	}
	for _, p := range cfg.Plugins {
		if p.Source == "" {
			continue
		}
		var desc sdk.Descriptor
		var err error
		if p.Kind == config.DriverPlugin {
			desc, err = sup.DescribeDriver(ctx, p.Name)
		} else {
			_, err = sup.DescribeTransfer(ctx, p.Name)
		}
		if err != nil {
			diags.Add(diag.Diagnostic{Summary: err.Error(), Subject: p.Range})
			continue
		}
		diags.Add(claims(p, desc.Schemes, owners)...)
	}
	return diags
}

// claims complains of a driver that says it opens URLs of schemes that are
// somebody else's: a block gives a driver one scheme, its label.
func claims(p *config.Plugin, schemes []string, owners map[string]*config.Plugin) diag.List {
	var diags diag.List
	for _, scheme := range schemes {
		if scheme == p.Name {
			continue
		}
		d := diag.Diagnostic{
			Detail:  "a driver opens the scheme that its block names; its author must leave the other one out",
			Subject: p.Range,
		}
		if other := owners[scheme]; other != nil {
			d.Summary = fmt.Sprintf("the driver %q claims the scheme %q, which is another's", p.Name, scheme)
			d.Related = []diag.Related{{Message: "it is declared here", Range: other.Range}}
			diags.Add(d)
		}
	}
	if p.Kind == config.DriverPlugin && !slices.Contains(schemes, p.Name) {
		diags.Add(diag.Diagnostic{
			Summary: fmt.Sprintf("the driver does not open %s:// URLs, for which it is declared", p.Name),
			Detail:  fmt.Sprintf("its schemes: %q", schemes), Subject: p.Range,
		})
	}
	return diags
}
