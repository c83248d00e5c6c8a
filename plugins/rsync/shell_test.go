package rsync_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// farJob is a job whose target is behind a shell, a script that is called with
// the target's root and a word that is hard to quote.
func farJob(t *testing.T, body string, values schema.Values, sizes ...int) (sdk.Job, []sdk.File) {
	t.Helper()
	target := t.TempDir()
	j, files := job(t, target, values, sizes...)
	j.Target.Shell = []string{script(t, `[ "$2" = "it's \"one\" word" ] || exit 9; cd "$1" || exit 9; shift 3`+"\n"+body), target, `it's "one" word`}
	return j, files
}

func TestThroughShell(t *testing.T) {
	needRsync(t)
	j, files := farJob(t, `exec "$@"`, nil, 100, 5<<20, 0)
	old, err := os.ReadFile(filepath.Join(j.Source.Path, "f1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.Target.Path, "job", sdk.JobBasis, "1"), old[:4<<20], 0o600); err != nil {
		t.Fatal(err)
	}
	files[1].Basis = true
	got, err := runJob(t.Context(), t, j, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if got[f.Name] != nil {
			t.Errorf("file %s: %v", f.Name, got[f.Name])
		}
		a, err := os.ReadFile(filepath.Join(j.Source.Path, string(f.Path)))
		b, berr := os.ReadFile(filepath.Join(j.Target.Path, "job", sdk.JobOut, f.Name))
		if err := errors.Join(err, berr); err != nil || string(a) != string(b) {
			t.Errorf("file %s is another, %v", f.Name, err)
		}
	}
}

// TestShellRefuses: what will not work next time either is the job's error.
func TestShellRefuses(t *testing.T) {
	needRsync(t)
	for _, c := range []struct{ name, body, says string }{
		{"in words", "echo '" + sdk.ShellRefuses + "no rsync here' >&2; exit 1", "no rsync here"},
		{"noise", "echo welcome to this machine; cat >/dev/null", "protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, files := farJob(t, c.body, nil, 10, 10)
			got, err := runJob(t.Context(), t, j, files)
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != sdk.KindUnsupported || !strings.Contains(e.Msg, c.says) || len(got) > 0 {
				t.Errorf("error %v, results %v", err, got)
			}
		})
	}
}

func TestShellEnds(t *testing.T) {
	needRsync(t)
	count := filepath.Join(t.TempDir(), "count")
	j, files := farJob(t, "echo >>"+count+"; echo '"+sdk.ShellLost+"reset' >&2; exit 255", nil, 10)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil {
		t.Fatal(err)
	}
	if e := got["0"]; e == nil || e.Kind != sdk.KindTransient || !strings.Contains(e.Msg, "lost: reset") {
		t.Errorf("error %v", e)
	}
	if b, err := os.ReadFile(count); err != nil || len(b) != 3 {
		t.Errorf("%d tries, %v", len(b), err)
	}
}

func TestShellComesBack(t *testing.T) {
	needRsync(t)
	first := filepath.Join(t.TempDir(), "first")
	j, files := farJob(t, "mkdir "+first+" && { echo '"+sdk.ShellLost+"reset' >&2; exit 255; }\n"+`exec "$@"`, nil, 10, 10)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil || len(got) != 2 || got["0"] != nil || got["1"] != nil {
		t.Errorf("results %v, %v", got, err)
	}
}

func TestFarFileFails(t *testing.T) {
	needRsync(t)
	if os.Geteuid() == 0 {
		// A directory in the way stops root too.
		j, files := farJob(t, `mkdir -p job/out/0/x; exec "$@"`, nil, 10, 10)
		got, err := runJob(t.Context(), t, j, files)
		if err != nil || got["0"] == nil || got["1"] != nil {
			t.Errorf("results %v, %v", got, err)
		}
		return
	}
	j, files := farJob(t, `chmod 0500 job/out; exec "$@"`, nil, 10)
	got, err := runJob(t.Context(), t, j, files)
	if err != nil || got["0"] == nil {
		t.Errorf("results %v, %v", got, err)
	}
}

func TestFarNeedsPlainJob(t *testing.T) {
	j, files := farJob(t, "exit 1", nil, 10)
	j.Dir = "job of mine"
	if _, err := runJob(t.Context(), t, j, files); sdk.KindOf(err) != sdk.KindUnsupported {
		t.Errorf("error %v", err)
	}
}
