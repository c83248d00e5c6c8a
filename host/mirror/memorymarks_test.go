package mirror_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// markless is a target on a filesystem without extended attributes. It counts
// the directories that are listed.
type markless struct {
	sdk.Target
	listed *atomic.Int64
}

func (m markless) Info() sdk.Info {
	i := m.Target.Info()
	i.Features &^= sdk.CanMarks
	return i
}

func (m markless) Scan(ctx context.Context, req sdk.ScanRequest, sink sdk.ScanSink) error {
	m.listed.Add(int64(len(req.Dirs)))
	req.Fields &^= sdk.FieldMark
	return m.Target.Scan(ctx, req, sink)
}

func (m markless) Stat(ctx context.Context, paths []sdk.Path, fields sdk.Fields) ([]sdk.Entry, error) {
	return m.Target.Stat(ctx, paths, fields&^sdk.FieldMark)
}

func (m markless) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	for _, op := range ops {
		if op.Kind == sdk.OpSetMark {
			return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: op.Kind.String(), Path: op.Path}
		}
	}
	return m.Target.Apply(ctx, ops)
}

func marklessRig(t *testing.T) (*rig, *atomic.Int64) {
	r := newRig(t)
	var listed atomic.Int64
	r.wrapTarget = func(s sdk.Target) sdk.Target { return markless{s, &listed} }
	return r, &listed
}

// TestMarkless mirrors to a filesystem that cannot carry marks: each start
// compares everything and sends what changed, and looks at nothing twice.
func TestMarkless(t *testing.T) {
	r, listed := marklessRig(t)
	for i := range 20 {
		r.write(fmt.Sprintf("d%d/sub/f", i), "x")
	}
	r.age()
	first := r.sync()
	r.equal()
	if notes := strings.Join(first.Notices, "\n"); strings.Count(notes, "cannot keep marks") != 1 {
		t.Errorf("notices %q", notes)
	}
	const dirs = 41
	listed.Store(0)
	if err := r.run(mirror.Options{Turns: 5}); err != nil {
		t.Fatal(err)
	}
	if n := listed.Load(); n != dirs {
		t.Errorf("%d directories listed in five looks, not each once: %d", n, dirs)
	}
	// What changed meanwhile and looks as before is found, as marks would have it.
	r.sh(`touch -r d9/sub/f ../time; echo -n y >d9/sub/f; touch -r ../time d9/sub/f`)
	r.sh(`mv d1 d2/moved; rm -r d3; mkdir d3; echo new >d3/f; mv d4 d3; mv d5 d4; chmod 700 d6/sub/f; ln d7/sub/f d8/link`)
	r.sync()
	r.equal()
}

// TestMarklessWhileRunning changes the primary under a running mirror, again and
// again: marks in memory must follow all that it does to the secondary.
func TestMarklessWhileRunning(t *testing.T) {
	r, listed := marklessRig(t)
	for i := range 200 {
		r.write(fmt.Sprintf("a/d%d/f", i), "x")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.runContext(ctx, mirror.Options{}) }()
	same := func(report.Snapshot) bool {
		return exec.Command("diff", "-rq", "--no-dereference", r.primary, r.secondary).Run() == nil
	}
	r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && same(s) })
	for i, script := range []string{
		"mv a/d1 b", "mv b a/d1", "mv a/d1 a/d2/in; mv a/d3 a/d1", "rm -r a/d4; mv a/d5 a/d4; mkdir a/d5; echo x >a/d5/f",
		"mv a z; mkdir a; echo y >a/f", "mv a/f z/d9; rmdir a; mv z a", "chmod 700 a/d9/f; touch -d 1999-01-01 a/d10", "rm -r a/d7 a/d8; mv a/d9 a/d7; mv a/d10 a/d8",
		"mv a/d11 t; mv a/d12 a/d11; mv t a/d12", "echo new >a/d11/f; echo new >a/d12/f",
	} {
		listed.Store(0)
		r.sh(script)
		r.await(ctx, func(s report.Snapshot) bool { return s.State == report.InSync && same(s) })
		// A directory whose new place is taken comes anew.
		if n := listed.Load(); n > 50 && !strings.Contains(script, "mv a z") && !strings.Contains(script, "mv z a") {
			t.Errorf("change %d: %d directories listed", i, n)
		}
	}
	cancel()
	<-done
	r.equal()
	// The whole comparison that comes next finds nothing.
	before := describe(t, r.secondary)
	if s := r.sync(); s.Done.Deletes != 0 || describe(t, r.secondary) != before {
		t.Errorf("something was left undone: %+v", s.Done)
	}
}
