package mirror_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/marker"
	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/host/report"
)

func TestFirstSyncAndQuiet(t *testing.T) {
	r := newRig(t)
	r.write("a/b/c", "hello")
	r.write("a/d", strings.Repeat("x", 100_000))
	r.sh("mkdir empty; ln -s nowhere link; chmod 2750 a; touch -d '1999-01-02 03:04:05.678901234' a/b")
	s := r.sync()
	r.equal()
	if s.Done.Files != 2 || s.Done.Dirs != 3 {
		t.Errorf("done %+v, want 2 files and 3 directories", s.Done)
	}
	s = r.sync()
	if s.Done.Visited != 0 {
		t.Errorf("a quiet tree was entered: %+v", s.Done)
	}
}

func TestChangeCostsItsPath(t *testing.T) {
	r := newRig(t)
	for _, d := range []string{"a/1", "a/2", "b/1", "b/2"} {
		r.write(d+"/f", d)
	}
	r.sync()
	r.write("b/2/f", "changed")
	s := r.sync()
	r.equal()
	if s.Done.Files != 1 || s.Done.Visited < 3 || s.Done.Visited > 2*3 {
		t.Errorf("done %+v, want one file, and only the root, b and b/2 entered", s.Done)
	}
}

func TestSameSizeWithMtimeSetBack(t *testing.T) {
	r := newRig(t)
	r.write("d/f", "one")
	r.sync()
	r.sh("touch -r d/f ../ref; printf two >d/f; touch -r ../ref d/f")
	r.sync()
	r.equal()
}

func TestSwappedDirectories(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir a b; printf one >a/f; printf two >b/f; touch -d '2001-01-01' a/f b/f a b")
	r.sync()
	r.sh("mv a x; mv b a; mv x b")
	s := r.sync()
	r.equal()
	if s.Done.Files != 0 || s.Done.Renames != 2 {
		t.Errorf("done %+v, want two renames and no file", s.Done)
	}
}

func TestRenamedDirectoryMoves(t *testing.T) {
	r := newRig(t)
	for _, f := range []string{"a/1", "a/b/2", "a/b/c/3"} {
		r.write(f, f)
	}
	r.sync()
	r.sh("mkdir -p new/deep; mv a/b new/deep/b; mv a new/a")
	s := r.sync()
	r.equal()
	if s.Done.Files != 0 || s.Done.Renames != 2 {
		t.Errorf("done %+v, want two renames and no file", s.Done)
	}
}

func TestTypeChanges(t *testing.T) {
	makers := map[string]string{
		"file": "printf x >e", "dir": "mkdir -p e/sub; printf y >e/sub/f", "symlink": "ln -s sub e", "fifo": "mkfifo e",
	}
	r := newRig(t)
	for from, make := range makers {
		for to, remake := range makers {
			r.sh("rm -rf e; " + make)
			r.sync()
			r.equal()
			r.sh("rm -rf e; " + remake)
			r.sync()
			if a, b := describe(t, r.primary), describe(t, r.secondary); a != b {
				t.Fatalf("%s to %s:\n%s", from, to, diffLines(a, b))
			}
		}
	}
}

func TestHardLinks(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir d e; printf 1 >d/a; ln d/a d/b; ln d/a e/c; printf 2 >e/x; ln e/x d/y")
	r.sync()
	r.equal()
	for _, change := range []string{
		"printf changed >e/c",                    // through a further name
		"rm d/b",                                 // one name less
		"cp -p d/a d/t; mv d/t e/c",              // a link broken, same looks
		"ln e/c d/b",                             // and made anew, in another group
		"mv d/y e/z; ln e/z d/y2",                // moved and linked
		"rm d/a; printf new >d/a; ln -f d/a e/c", // regrouped
		"ln d/a d/n",
		"cp -p d/a d/t; mv d/t d/a; ln d/a d/z",          // two groups where one was
		"mkdir f; mv d/a f/a; ln f/a d/a; chmod 600 f/a", // the first name moves
	} {
		r.sh(change)
		r.sync()
		if a, b := describe(t, r.primary), describe(t, r.secondary); a != b {
			t.Fatalf("after %s:\n%s", change, diffLines(a, b))
		}
	}
}

func TestDriftIsRepairedWhereVisited(t *testing.T) {
	r := newRig(t)
	r.write("d/a", "aaa")
	r.write("d/b", "bbb")
	r.write("q/c", "ccc")
	r.sync()
	r.sh("printf zzzz >$S/d/a; chmod 600 $S/d/b; printf stray >$S/d/stray; printf xxx >$S/q/c")
	r.write("d/new", "n")
	r.sync()
	got, _ := os.ReadFile(filepath.Join(r.secondary, "q/c"))
	if string(got) != "xxx" {
		t.Fatalf("a quiet directory was entered")
	}
	r.sh("touch -r $P/q/c $S/q/c") // nothing but the bytes differs now
	if err := r.run(mirror.Options{Once: true, Full: true}); err != nil {
		t.Fatal(err)
	}
	r.equal()
}

func TestKeepLeavesStrangers(t *testing.T) {
	r := newRig(t)
	r.keep = true
	r.write("d/a", "a")
	r.sync()
	r.sh("printf s >$S/d/stranger; rm d/a; printf b >d/b")
	r.sync()
	for _, name := range []string{"d/stranger", "d/a", "d/b"} {
		if !r.exists(name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestStrangersOfFirstContactStay(t *testing.T) {
	r := newRig(t)
	r.write("d/a", "a")
	r.sh("mkdir -p $S/d; printf old >$S/d/old; printf o >$S/other")
	err := r.run(mirror.Options{Once: true})
	if !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want problems", err)
	}
	for _, name := range []string{"d/old", "other", "d/a"} {
		if !r.exists(name) {
			t.Errorf("%s is not there", name)
		}
	}
	s := r.tracker.Snapshot()
	if s.ProblemCount != 2 || !strings.Contains(s.Problems[0].Cause, "--adopt") {
		t.Errorf("problems %+v, want the two strangers with the cure", s.Problems)
	}
	r.adopt = true
	r.sync()
	r.equal()
}

func TestEmptiedPrimaryKeepsSecondary(t *testing.T) {
	r := newRig(t)
	r.write("d/a", "a")
	r.sync()
	r.sh("rm -rf d")
	if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want problems", err)
	}
	if !r.exists("d/a") {
		t.Fatal("an emptied primary emptied the secondary")
	}
	r.adopt = true
	r.sync()
	r.equal()
}

func TestDeleteGuard(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir d; for i in 1 2 3 4 5; do printf $i >d/$i; done; printf k >keep")
	r.sync()
	r.sh("rm -rf d")
	r.maxDeletes = 5
	if err := r.run(mirror.Options{Once: true}); !errors.Is(err, mirror.ErrProblems) {
		t.Fatalf("run: %v, want problems", err)
	}
	if !r.exists("d/5") {
		t.Fatal("more was removed than allowed")
	}
	r.maxDeletes = 6
	if s := r.sync(); s.Done.Deletes != 6 {
		t.Errorf("%d deletes counted, want 6", s.Done.Deletes)
	}
	r.equal()
}

func TestReplacedRootStopsEverything(t *testing.T) {
	for _, side := range []string{"$P", "$S"} {
		r := newRig(t)
		r.write("d/a", "a")
		r.sync()
		r.sh("mv " + side + " " + side + ".old; mkdir " + side)
		err := r.run(mirror.Options{Once: true})
		var changed *mirror.ChangedError
		if !errors.As(err, &changed) {
			t.Fatalf("%s: run: %v, want a ChangedError", side, err)
		}
		if side == "$P" && !r.exists("d/a") {
			t.Fatal("the secondary lost what it had")
		}
	}
}

func TestOwnNames(t *testing.T) {
	r := newRig(t)
	r.write("d/a", "a")
	r.write(".gsyncd-host.foreign/x", "x")
	r.sync()
	if r.exists(".gsyncd-host.foreign") {
		t.Error("a reserved name was mirrored")
	}
	r.sh("printf x >$S/d/.gsyncd-host.old.1; mkdir -p $S/.gsyncd-host.job/out; printf y >$S/.gsyncd-host.job/out/1; printf n >d/n")
	r.sync()
	if r.exists("d/.gsyncd-host.old.1") || r.exists(".gsyncd-host.job") {
		t.Error("a leftover stayed")
	}
}

// slow is a detector that is ended before it tells where to look first, as one is that waits
// for a disk.
type slow struct {
	mirror.Detector
	next func()
}

func (s slow) Next(context.Context) (marker.Hint, error) {
	s.next()
	return marker.Hint{}, context.Canceled
}

func (slow) Events() bool { return false }

// Whoever asks meanwhile is told that it is the primary that is waited for.
func TestStateBeforeTheFirstLook(t *testing.T) {
	r := newRig(t)
	var state report.State
	r.detector = slow{next: func() { state = r.tracker.Snapshot().State }}
	if err := r.run(mirror.Options{}); !errors.Is(err, context.Canceled) || state != report.Looking {
		t.Errorf("state %q, %v", state, err)
	}
}
