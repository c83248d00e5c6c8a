package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// RequestKind is what a client wants of the far side.
type RequestKind uint8

// The kinds of requests.
const (
	RequestServe  RequestKind = iota + 1 // agent -- URL: serve a tree
	RequestResume                        // agent --resume TOKEN: go on with a session
	RequestRsync                         // agent --rsync TOKEN --dir DIR -- ARGS: an rsync server in a job of a session
)

var requestNames = [...]string{"", "serve a tree", "resume a session", "start rsync"}

// String names the kind for people.
func (k RequestKind) String() string { return requestNames[k] }

// Request is a client's command line, taken apart.
type Request struct {
	Kind    RequestKind
	URL     resurl.URL    // RequestServe
	Silence time.Duration // RequestServe; 0 if not given
	Token   string        // RequestResume, RequestRsync
	Dir     sdk.Path      // RequestRsync: the job's directory
	Args    []string      // RequestRsync
}

// errRequest is what is wrong with a command line that is not one of the
// agent's.
var errRequest = errors.New("it does not start an agent")

// ParseRequest reads the command line that a client sends to the far shell. How
// it calls the program is left out: the words before "agent" are ignored.
func ParseRequest(line string) (Request, error) {
	list, err := words(line)
	if err != nil {
		return Request{}, err
	}
	at := slices.Index(list, "agent")
	if at < 1 {
		return Request{}, errRequest
	}
	var r Request
	list = list[at+1:]
	given := map[string]bool{}
	for len(list) > 0 && list[0] != "--" {
		name, value, joined := strings.Cut(list[0], "=")
		list = list[1:]
		if !joined {
			if len(list) == 0 {
				return Request{}, fmt.Errorf("option %s has no value", name)
			}
			value, list = list[0], list[1:]
		}
		if given[name] {
			return Request{}, fmt.Errorf("option %s is given twice", name)
		}
		given[name] = true
		if err := r.option(name, value); err != nil {
			return Request{}, err
		}
	}
	if len(list) > 0 {
		list = list[1:] // "--"
	}
	return r.finish(list, given)
}

func (r *Request) option(name, value string) (err error) {
	switch name {
	case "--silence":
		if r.Silence, err = time.ParseDuration(value); err != nil || r.Silence < time.Second {
			return errors.New("--silence is no duration of a second or more")
		}
	case "--resume", "--rsync":
		if err := CheckToken(value); err != nil {
			return err
		}
		r.Token = value
	case "--dir":
		r.Dir = sdk.Path(value)
		if !sdk.Reserved(value) || r.Dir.Validate() != nil || r.Dir.Dir() != sdk.Root {
			return errors.New("--dir is no job's directory")
		}
	default:
		return fmt.Errorf("a restricted key has no option %s", name)
	}
	return nil
}

// finish decides the kind: each has its options and no others.
func (r Request) finish(args []string, given map[string]bool) (Request, error) {
	only := func(names ...string) bool {
		for name := range given {
			if !slices.Contains(names, name) {
				return false
			}
		}
		return true
	}
	switch {
	case given["--resume"] && only("--resume", "--silence") && len(args) == 0:
		r.Kind = RequestResume
	case given["--rsync"] && given["--dir"] && only("--rsync", "--dir") && len(args) > 0:
		r.Kind, r.Args = RequestRsync, args
	case only("--silence") && len(args) == 1:
		u, err := resurl.Parse(args[0])
		if err != nil {
			return Request{}, err
		}
		r.Kind, r.URL = RequestServe, u
	default:
		return Request{}, errRequest
	}
	return r, nil
}
