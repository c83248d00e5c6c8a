package mover_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// fake is a transfer method that does what the test says.
type fake struct {
	run func(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error
}

func (fake) Describe() sdk.TransferDescriptor {
	return sdk.TransferDescriptor{Name: "fake", Version: "1", Delta: true}
}

func (f fake) Run(_ context.Context, job sdk.Job, files []sdk.File, result func(sdk.FileResult), _ func(int64)) error {
	return f.run(job, files, result)
}

func (p *pair) fake(run func(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error) func(context.Context) (sdk.Transfer, error) {
	return func(context.Context) (sdk.Transfer, error) { return checked{fake{run}}, nil }
}

// copies is a run that makes all files as it should.
func (p *pair) copies(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(p.from, string(f.Path)))
		if err == nil {
			err = os.WriteFile(filepath.Join(p.to, string(job.Dir), sdk.JobOut, f.Name), data, 0o600)
		}
		result(sdk.FileResult{Name: f.Name, Err: sdk.NewError("copy", f.Path, err), Moved: 1})
	}
	return nil
}

// old puts an earlier version of every file on the secondary.
func (p *pair) old(t *testing.T, paths ...sdk.Path) (jobs []mover.Job) {
	t.Helper()
	for _, path := range paths {
		p.write(t, path, pattern(5000, 2))
		must(t, os.WriteFile(filepath.Join(p.to, string(path)), pattern(4000, 2), 0o600))
		jobs = append(jobs, p.job(t, path))
	}
	return jobs
}

func TestAutoReasons(t *testing.T) {
	p := newPair(t)
	cfg := mover.Config{Threshold: 1000, Jobs: 1, Transfer: p.fake(p.copies), Source: p.source}
	m := p.mover(t, cfg)
	jobs := p.old(t, "large")
	p.write(t, "new", pattern(5000, 1))
	p.write(t, "small", pattern(10, 1))
	must(t, os.WriteFile(filepath.Join(p.to, "small"), pattern(9, 1), 0o600))
	jobs = append(jobs, p.job(t, "new"), p.job(t, "small"))
	results := run(t, m, jobs...)
	got := map[sdk.Path]string{}
	for path, r := range results {
		must(t, errOf(r))
		p.equal(t, r.Job)
		got[path] = r.Method + ": " + r.Reason
	}
	want := map[sdk.Path]string{"large": "fake: changed and large", "new": "stream: new", "small": "stream: small"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	second := run(t, m, p.old(t, "l2")...)
	if r := second["l2"]; r.Reason != "to measure" || r.Method != "stream" {
		t.Errorf("%s: %s", r.Method, r.Reason)
	}
	third := run(t, m, p.old(t, "l3")...)
	if r := third["l3"]; r.Reason != "measured faster" {
		t.Errorf("%s: %s", r.Method, r.Reason)
	}
	if left, _ := filepath.Glob(filepath.Join(p.to, sdk.ReservedPrefix+"job*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFallBack(t *testing.T) {
	out := func(p *pair, job sdk.Job, f sdk.File) string {
		return filepath.Join(p.to, string(job.Dir), sdk.JobOut, f.Name)
	}
	for _, c := range []struct {
		name   string
		start  error
		run    func(p *pair, job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error
		reason string
	}{
		{name: "no start", start: errors.New("no such program"), reason: "fell back: no transfer method"},
		{name: "gone", reason: "fell back: gone", run: func(*pair, sdk.Job, []sdk.File, func(sdk.FileResult)) error {
			return &sdk.Error{Kind: sdk.KindGone, Op: "run"}
		}},
		{name: "no result", reason: "fell back: fatal", run: func(*pair, sdk.Job, []sdk.File, func(sdk.FileResult)) error { return nil }},
		{name: "per file", reason: "fell back: transient", run: func(_ *pair, _ sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
			for _, f := range files {
				result(sdk.FileResult{Name: f.Name, Err: &sdk.Error{Kind: sdk.KindTransient, Op: "run"}})
			}
			return nil
		}},
		{name: "a lie", reason: "fell back: transient", run: func(_ *pair, _ sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
			for _, f := range files {
				result(sdk.FileResult{Name: f.Name})
			}
			return nil
		}},
		{name: "too short", reason: "fell back: transient", run: func(p *pair, job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
			for _, f := range files {
				err := os.WriteFile(out(p, job, f), []byte("short"), 0o600)
				result(sdk.FileResult{Name: f.Name, Err: sdk.NewError("run", "", err)})
			}
			return nil
		}},
		{name: "the basis itself", reason: "fell back: transient", run: func(p *pair, job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
			for _, f := range files {
				err := os.Link(filepath.Join(p.to, string(job.Dir), sdk.JobBasis, f.Name), out(p, job, f))
				result(sdk.FileResult{Name: f.Name, Err: sdk.NewError("run", "", err)})
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t)
			jobs := p.old(t, "a", "b")
			cfg := mover.Config{Method: "fake", Transfer: func(context.Context) (sdk.Transfer, error) {
				if c.start != nil {
					return nil, c.start
				}
				return checked{fake{func(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
					return c.run(p, job, files, result)
				}}}, nil
			}}
			results := run(t, p.mover(t, cfg), jobs...)
			for path, r := range results {
				must(t, errOf(r))
				if r.Method != "stream" || r.Reason != c.reason {
					t.Errorf("%q: %s, %s", path, r.Method, r.Reason)
				}
				p.equal(t, r.Job)
				old, err := os.ReadFile(filepath.Join(p.to, string(path)))
				must(t, err)
				if string(old) != string(pattern(4000, 2)) {
					t.Errorf("%q: the earlier version changed", path)
				}
			}
			p.clean(t, results)
		})
	}
}

// TestChangedWhileTransferred has the primary change under the plugin, once.
func TestChangedWhileTransferred(t *testing.T) {
	p := newPair(t)
	jobs := p.old(t, "a")
	times := 0
	cfg := mover.Config{Method: "fake", Transfer: p.fake(func(job sdk.Job, files []sdk.File, result func(sdk.FileResult)) error {
		err := p.copies(job, files, result)
		if times++; times == 1 {
			p.write(t, "a", []byte(strings.Repeat("new", 1000)))
		}
		return err
	})}
	results := run(t, p.mover(t, cfg), jobs...)
	must(t, errOf(results["a"]))
	if times != 2 {
		t.Errorf("%d runs, want 2", times)
	}
	p.equal(t, jobs[0])
	p.clean(t, results)
}

// checked adds what the mover does not ask for.
type checked struct{ fake }

func (checked) Check(context.Context, schema.Values) []schema.Diagnostic { return nil }
