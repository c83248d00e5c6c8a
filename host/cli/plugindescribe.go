package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/host/plugin"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

// description is what there is to know about a plugin before it is used.
type description struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Origin   string    `json:"origin"`
	Place    string    `json:"declared_at,omitempty"`
	Path     string    `json:"path,omitempty"`
	Size     int64     `json:"size,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	Guest    bool      `json:"wasm"`
	Protocol int       `json:"protocol"`
	Schemes  []string  `json:"schemes,omitempty"` // of a driver
	Sides    []string  `json:"sides,omitempty"`   // of a driver
	Native   bool      `json:"native_xtimes"`     // of a driver
	Remote   bool      `json:"remote"`            // of a transfer method
	Delta    bool      `json:"delta"`             // of a transfer method
	Settings []setting `json:"settings"`
}

// setting is an attribute of a plugin's block.
type setting struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required"`
	Default  any      `json:"default,omitempty"`
	OneOf    []string `json:"one_of,omitempty"`
	Secret   bool     `json:"secret"`
	Doc      string   `json:"doc,omitempty"`
}

func pluginDescribeCommand(env *Env) *cobra.Command {
	var f pluginFlags
	cmd := &cobra.Command{
		Use: "describe NAME|FILE", Short: "Tell what a plugin is: its schemes, sides and settings",
		Long: "describe asks a plugin what it is. A WASM module carries the answer in its file, and is not run. A\n" +
			"program must be started for it: so it must be built in, declared in the configuration, or named\n" +
			"together with its checksum. What has a slash in it is a FILE, all else a NAME.",
		Example: "  gsyncd-host plugin describe ssh\n  gsyncd-host plugin describe ./zip.driver.wasm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := f.find(env, args[0])
			if err != nil {
				return err
			}
			d, err := f.describe(cmd.Context(), env, t, false)
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(env.Stdout).Encode(d)
			}
			return d.write(env.Stdout)
		},
	}
	f.add(cmd, true)
	return cmd
}

// describe asks the plugin; of one known by its file alone it completes the
// declaration. A module is asked by its manifest; runs says that one without may be
// run instead.
func (f *pluginFlags) describe(ctx context.Context, env *Env, t *target, runs bool) (*description, error) {
	if err := f.runnable(t); err != nil {
		return nil, err
	}
	if d := &t.declaration; d.Guest() && !runs {
		if _, found, err := plugin.Manifest(d.Path, d.SHA256); err != nil {
			return nil, usage(err)
		} else if !found {
			return nil, usage(fmt.Errorf("%s has no manifest; gsyncd-host plugin pack adds one", d.Path))
		}
	}
	if err := f.identify(ctx, env, t); err != nil {
		return nil, usage(err)
	}
	d := &t.declaration
	out := &description{
		Kind: string(d.Kind), Origin: t.origin, Path: d.Path, Guest: d.Guest(), Protocol: process.Version, Settings: []setting{},
	}
	if d.Guest() {
		out.Protocol = wire.ABI
	}
	if t.origin == fromDeclared {
		out.Place = t.place.String()
	}
	if d.Path != "" {
		out.SHA256 = fmt.Sprintf("%x", d.SHA256)
		if st, err := os.Stat(d.Path); err == nil {
			out.Size = st.Size()
		}
	}
	if d.Guest() {
		desc, found, err := plugin.Manifest(d.Path, d.SHA256)
		if err != nil {
			return nil, usage(err)
		}
		if found {
			out.driver(desc)
			return out, nil
		}
	}
	sup, err := t.supervisor(env, plugin.Options{})
	if err != nil {
		return nil, usage(err)
	}
	defer closeSoon(ctx, sup)
	if d.Kind == plugin.KindTransfer {
		desc, err := sup.DescribeTransfer(ctx, d.Name)
		if err != nil {
			return nil, usage(err)
		}
		out.Name, out.Version, out.Remote, out.Delta = desc.Name, desc.Version, desc.Remote, desc.Delta
		out.add(desc.Schema)
		return out, nil
	}
	desc, err := sup.DescribeDriver(ctx, d.Name)
	if err != nil {
		return nil, usage(err)
	}
	out.driver(desc)
	return out, nil
}

// identify finds the name of a plugin of which only the file is known.
func (f *pluginFlags) identify(ctx context.Context, env *Env, t *target) error {
	if t.origin != fromFile {
		return nil
	}
	sup, err := plugin.New(plugin.Registry{}, plugin.Options{Environ: env.Environ})
	if err != nil {
		return err
	}
	defer closeSoon(ctx, sup)
	return sup.Identify(ctx, &t.declaration)
}

func (d *description) driver(desc sdk.Descriptor) {
	d.Name, d.Version, d.Schemes, d.Native = desc.Name, desc.Version, desc.Schemes, desc.Native
	for _, r := range desc.Roles {
		d.Sides = append(d.Sides, r.String())
	}
	d.add(desc.Schema)
}

func (d *description) add(s schema.Schema) {
	for _, a := range s {
		out := setting{Name: a.Name, Type: a.Type.String(), Required: a.Required, Default: a.Default, OneOf: a.OneOf, Secret: a.Secret, Doc: a.Doc}
		if v, ok := a.Default.(time.Duration); ok {
			out.Default = v.String()
		}
		d.Settings = append(d.Settings, out)
	}
}

// header is what the text form and the card of a check begin with.
func (d *description) header(out io.Writer) {
	fmt.Fprintf(out, "%s %s %s\n", d.Kind, d.Name, diag.Clean(d.Version))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "  %-10s %s\n", name, diag.Clean(value))
		}
	}
	switch d.Origin {
	case fromDeclared:
		line("declared", "at "+d.Place)
	case fromBuiltIn:
		line("file", "built in")
	}
	line("file", d.Path)
	line("sha256", d.SHA256)
	how := "as a process"
	if d.Guest {
		how = "as a WASM module, confined"
	}
	line("runs", how)
	protocol := fmt.Sprint(d.Protocol)
	if d.Guest {
		protocol = "ABI " + protocol
	}
	line("protocol", protocol)
	line("schemes", strings.Join(d.Schemes, ", "))
	line("sides", strings.Join(d.Sides, ", "))
	if d.Kind == string(plugin.KindTransfer) {
		var can []string
		if d.Delta {
			can = append(can, "sends differences")
		}
		if d.Remote {
			can = append(can, "reaches other machines")
		}
		line("can", strings.Join(can, ", "))
	}
	if d.Native {
		line("xtimes", "its primaries may keep xtimes themselves")
	}
}

func (d *description) write(out io.Writer) error {
	var b strings.Builder
	d.header(&b)
	if len(d.Settings) == 0 {
		b.WriteString("  settings   none\n")
	}
	for i, s := range d.Settings {
		name := ""
		if i == 0 {
			name = "settings"
		}
		what := []string{s.Type}
		if len(s.OneOf) > 0 {
			what = []string{"one of " + strings.Join(s.OneOf, ", ")}
		}
		switch {
		case s.Required:
			what = append(what, "required")
		case s.Default != nil:
			what = append(what, fmt.Sprintf("default %v", s.Default))
		}
		fmt.Fprintf(&b, "  %-10s %s: %s\n", name, diag.Clean(s.Name), diag.Clean(strings.Join(what, "; ")))
		if s.Doc != "" {
			fmt.Fprintf(&b, "  %-10s   %s\n", "", diag.Clean(s.Doc))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
