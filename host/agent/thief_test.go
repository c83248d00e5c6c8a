package agent_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

// thief is a client with a stolen key: it speaks the protocol, and asks for
// whatever it likes.
type thief struct {
	t      *testing.T
	root   string
	driver sdk.Driver
	target sdk.Target
}

// newThief opens, under a policy, a tree that holds
//
//	keep        a file, with a second name in d/other
//	d/f, d/g    files
//	d/e/        a directory
//	link        a symlink that leads to the directory above
func newThief(t *testing.T, p agent.Policy) *thief {
	t.Helper()
	th := dial(t, p)
	var err error
	if th.target, err = th.driver.OpenTarget(t.Context(), th.request(sdk.Secondary)); err != nil {
		t.Fatal(err)
	}
	return th
}

// bypass opens the tree again with nothing between the thief and the policy.
func (th *thief) bypass(p agent.Policy, clock func() time.Time) {
	th.t.Helper()
	if th.target != nil {
		must(th.t, th.target.Close())
	}
	req := th.request(sdk.Secondary)
	req.Address.Rest = th.root
	var err error
	th.target, err = agent.Guard(file.New(nil), p, clock).OpenTarget(th.t.Context(), req)
	must(th.t, err)
	th.t.Cleanup(func() { th.target.Close() })
}

func dial(t *testing.T, p agent.Policy) *thief {
	t.Helper()
	th := &thief{t: t, root: filepath.Join(t.TempDir(), "root")}
	must(t, os.MkdirAll(filepath.Join(th.root, "d", "e"), 0o755))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(th.root), "outside"), []byte("outside"), 0o644))
	for _, name := range []string{"keep", "d/f", "d/g"} {
		must(t, os.WriteFile(filepath.Join(th.root, name), []byte("old "+name), 0o644))
	}
	must(t, os.Link(filepath.Join(th.root, "keep"), filepath.Join(th.root, "d/other")))
	must(t, os.Symlink("..", filepath.Join(th.root, "link")))
	a, err := agent.New(agent.Options{URL: "file://" + th.root, Drivers: drivers(), Policy: p})
	must(t, err)
	near, far := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(context.WithoutCancel(t.Context()), far) }()
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = s.Close()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the agent did not end")
		}
	})
	th.driver, err = s.Driver(t.Context())
	must(t, err)
	return th
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (th *thief) request(role sdk.Role) sdk.OpenRequest {
	values, err := th.driver.Describe().Schema.WithDefaults(nil)
	must(th.t, err)
	return sdk.OpenRequest{Address: sdk.Address{Scheme: "file", Rest: "/"}, Role: role, MarkKey: "k", Config: values}
}

// do applies operations in one call; the answer has an error, or "", for each.
func (th *thief) do(ops ...sdk.Op) []string {
	th.t.Helper()
	results, err := th.target.Apply(th.t.Context(), ops)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, r := range results {
		if r.Err == nil {
			out = append(out, "")
		} else {
			out = append(out, r.Err.Error())
		}
	}
	return out
}

// put writes one file and returns its result.
func (th *thief) put(path sdk.Path, data string) *sdk.Error {
	th.t.Helper()
	w, err := th.target.Write(th.t.Context())
	must(th.t, err)
	must(th.t, w.Begin(sdk.NewFile{Path: path, Size: int64(len(data)), Meta: sdk.Meta{Mask: sdk.MetaPerm, Perm: 0o600}}))
	must(th.t, w.Data(0, []byte(data)))
	must(th.t, w.End(true))
	results, err := w.Close()
	must(th.t, err)
	if len(results) != 1 {
		th.t.Fatalf("%d results", len(results))
	}
	return results[0].Err
}

// tree lists the names in place: type, and content or target, but not what is
// staged.
func (th *thief) tree() map[string]string {
	out := map[string]string{}
	must(th.t, filepath.Walk(th.root, func(path string, st os.FileInfo, err error) error {
		name, _ := filepath.Rel(th.root, path)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(st.Name(), sdk.ReservedPrefix):
			if st.IsDir() {
				return filepath.SkipDir
			}
		case st.IsDir():
			out[name] = "directory"
		case st.Mode()&os.ModeSymlink != 0:
			out[name], err = os.Readlink(path)
		default:
			data, rerr := os.ReadFile(path)
			out[name], err = fmt.Sprintf("%s %s", st.Mode(), data), rerr
		}
		return err
	}))
	return out
}

func nilable(err *sdk.Error) error {
	if err == nil {
		return nil
	}
	return err
}
