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
	"github.com/gsyncd/gsyncd-host/sdk/resume"
)

// Options say what an agent serves.
type Options struct {
	URL string // of the resource, as this machine sees it
	// Drivers are those of this program, by name.
	Drivers map[string]func(*slog.Logger) sdk.Driver
	Program string        // this program's version
	Silence time.Duration // after which the client is taken for dead; 0: process.DefaultSilence
	// Doors is where the agent's door is, see [RuntimeDir]; "" for none.
	Doors  string
	Logger *slog.Logger
}

// Agent serves one resource.
type Agent struct {
	driver  *pinned
	options process.StreamOptions
	url     string // canonical
	doors   string
	log     *slog.Logger
}

// New finds the driver for the URL. An error is about the URL.
func New(o Options) (*Agent, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Silence <= 0 {
		o.Silence = process.DefaultSilence
	}
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
				driver:  &pinned{driver: d, address: u.Address()},
				options: process.StreamOptions{Program: o.Program, Silence: o.Silence},
				url:     u.String(), doors: o.Doors, log: o.Logger,
			}, nil
		}
		known = append(known, schemes...)
	}
	return nil, fmt.Errorf("no driver here opens %s:// URLs; known are: %s", u.Scheme(), strings.Join(known, ", "))
}

// Serve speaks to the one client at the other end of rw until either of them
// has enough, or rw is lost and no other connection comes in time. Nothing is left
// open then. It is called once.
func (a *Agent) Serve(ctx context.Context, rw io.ReadWriteCloser) error {
	s := &session{url: a.url, window: resume.WindowFor(a.options.Silence), ended: make(chan struct{})}
	options := a.options
	if a.doors != "" {
		token := NewToken()
		door, err := OpenDoor(a.doors, token, a.verbs(s), a.log)
		if err != nil {
			// All works without it, but what comes to this session another way.
			a.log.Warn("the session cannot be reached by others", "error", err)
		} else {
			options.Token, options.Resume = token, s.over
			a.driver.takeOver = func(ctx context.Context) bool { return takeOver(ctx, a.doors, token, a.url) }
			defer func() { _ = door.Close() }()
		}
	}
	defer close(s.ended)
	return process.ServeStream(ctx, rw, a.driver, options)
}

// verbs are what the session does for those who come to its door.
func (a *Agent) verbs(s *session) map[string]Verb {
	return map[string]Verb{verbResume: s.resume, verbYield: s.yield, verbRsync: a.rsync}
}
