package mover_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// behindShell is a target of another machine.
type behindShell struct{ sdk.Target }

func (b behindShell) Info() sdk.Info {
	i := b.Target.Info()
	i.Endpoint.Shell = []string{"shell"}
	return i
}

// remote is a method that can use a shell, or not.
type remote struct {
	checked
	able bool
}

func (r remote) Describe() sdk.TransferDescriptor {
	d := r.checked.Describe()
	d.Remote = r.able
	return d
}

func TestRemoteTarget(t *testing.T) {
	for _, c := range []struct {
		name   string
		able   bool
		fail   error
		method string
		reason string // of the second file
		runs   int
	}{
		{"able", true, nil, "fake", "changed and large", 2},
		{"not able", false, nil, "stream", "streamed", 0},
		{"refused", true, &sdk.Error{Kind: sdk.KindUnsupported, Op: "run", Msg: "no such program"}, "stream", "streamed", 1},
		{"failed", true, &sdk.Error{Kind: sdk.KindTransient, Op: "run"}, "stream", "fell back: transient", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t)
			jobs := p.old(t, "a", "b")
			var said bytes.Buffer
			runs := 0
			m := p.mover(t, mover.Config{
				Target: behindShell{p.target}, Threshold: 1000, Jobs: 1, Logger: slog.New(slog.NewTextHandler(&said, nil)),
				Transfer: func(context.Context) (sdk.Transfer, error) {
					return remote{checked{fake{func(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
						runs++
						if len(job.Target.Shell) == 0 {
							t.Error("the job has no shell")
						}
						if c.fail != nil {
							return c.fail
						}
						return p.copies(job, files, result)
					}}}, c.able}, nil
				},
			})
			for i, j := range jobs {
				r := run(t, m, j)[j.Path]
				if r.Err != nil || r.Method != c.method || (i > 0 && r.Reason != c.reason) {
					t.Errorf("%s: %s, %q, %v", j.Path, r.Method, r.Reason, r.Err)
				}
				if i == 0 && c.runs > 0 && !r.Beside {
					t.Error("it does not tell of the job's directory")
				}
			}
			if runs != c.runs {
				t.Errorf("%d runs, want %d", runs, c.runs)
			}
			if n, want := strings.Count(said.String(), "from now on"), map[bool]int{true: 1}[c.reason == "streamed"]; n != want {
				t.Errorf("it is said %d times that files are streamed:\n%s", n, said.String())
			}
		})
	}
}
