package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// Options say what an agent serves.
type Options struct {
	URL string // of the resource, as this machine sees it
	// Drivers are those of this program, by name.
	Drivers map[string]func(*slog.Logger) sdk.Driver
	Program string        // this program's version
	Silence time.Duration // after which the client is taken for dead; 0: process.DefaultSilence
	Policy  Policy        // what the client is held to
	Logger  *slog.Logger
}

// Agent serves one resource.
type Agent struct {
	driver  sdk.Driver
	options process.StreamOptions
}

// New finds the driver for the URL. An error is about the URL.
func New(o Options) (*Agent, error) {
	u, err := resurl.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme() == resurl.SSH {
		return nil, fmt.Errorf("%s leads to another machine; an agent serves what is on its own", u)
	}
	var known []string
	for _, name := range slices.Sorted(maps.Keys(o.Drivers)) {
		d := o.Drivers[name](o.Logger)
		schemes := d.Describe().Schemes
		if slices.Contains(schemes, u.Scheme()) {
			return &Agent{
				driver:  &guardedDriver{Driver: &pinned{driver: d, address: u.Address()}, policy: o.Policy, clock: time.Now},
				options: process.StreamOptions{Program: o.Program, Silence: o.Silence},
			}, nil
		}
		known = append(known, schemes...)
	}
	return nil, fmt.Errorf("no driver here opens %s:// URLs; known are: %s", u.Scheme(), strings.Join(known, ", "))
}

// Serve speaks to the one client at the other end of rw until either of them
// has enough. Nothing is left open then.
func (a *Agent) Serve(ctx context.Context, rw io.ReadWriteCloser) error {
	return process.ServeStream(ctx, rw, a.driver, a.options)
}
