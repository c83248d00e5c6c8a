package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/host/plugin/wasmrun"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// third completes the command for a third party's plugin: its own program, or this
// one as the runner of its module.
func (s *Supervisor) third(c *process.Command, d *Declaration) error {
	granted, err := d.Grants.Resolve(s.lookup)
	if err != nil {
		return err
	}
	if err := granted.Reachable(); err != nil {
		return err
	}
	if !d.Guest() {
		if err := trusted(d.Path); err != nil {
			return err
		}
		c.Path, c.Args, c.SHA256, c.MTLS = d.Path, d.Args, d.SHA256, true
		if !granted.Empty() {
			c.Handout, err = json.Marshal(granted)
		}
		return err
	}
	if err := checkModule(d, s.registry.reserved); err != nil {
		return err
	}
	c.Args = []string{"plugin", "wasm", d.Path}
	c.Env = environ(s.options.Environ, []string{"XDG_CACHE_HOME"}) // for what is compiled
	if c.StartTimeout <= 0 {
		c.StartTimeout = compileTime
	}
	c.Handout, err = wasmrun.Config{
		SHA256: d.SHA256, Memory: d.Limits.Memory, CallTimeout: d.Limits.CallTimeout, Trusted: d.Trusted, Repack: d.Repack, Grants: granted,
	}.Marshal()
	return err
}

// compileTime is how long a guest may take to start: at its first start it is
// compiled, which takes a second or two where nothing else is done.
const compileTime = time.Minute

// checkModule refuses, with a clear word and before anything is started, what the
// runner would refuse.
func checkModule(d *Declaration, reserved func(name, scheme string) error) error {
	f, err := wasmfile.Read(d.Path, d.SHA256)
	if err != nil || d.Repack {
		return err
	}
	desc, found, err := f.Manifest()
	if err != nil || !found {
		return err
	}
	if desc.Name != d.Name {
		return fmt.Errorf("%s is the driver %q", d.Path, desc.Name)
	}
	for _, scheme := range desc.Schemes {
		if err := reserved(d.Name, scheme); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds a variable of the host's environment.
func (s *Supervisor) lookup(name string) (string, bool) {
	for _, v := range s.options.Environ {
		if n, value, ok := strings.Cut(v, "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// guestError is why a plugin did not start; of a guest, what its runner said.
func guestError(d *Declaration, err error) error {
	var start *process.StartError
	if !d.Guest() || !errors.As(err, &start) {
		return err
	}
	const prefix = "error: "
	if i := strings.Index(start.Said, prefix); i >= 0 {
		return errors.New(start.Said[i+len(prefix):])
	}
	return fmt.Errorf("%s: %w", d.Path, err)
}

// reserved refuses the scheme of a built-in driver to a plugin of another name.
func (r *Registry) reserved(name, scheme string) error {
	if r.Drivers[scheme] != nil && scheme != name {
		return fmt.Errorf("it claims the scheme %q of a built-in driver", scheme)
	}
	return nil
}
