package mirror_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
)

// TestLeftoversOfAKilledRun: what an earlier run left half done goes when its
// directory is visited, whatever it is.
func TestLeftoversOfAKilledRun(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir -p d/e; echo 1 >d/e/f; echo 1 >g")
	r.sync()
	r.sh(`mkdir -p $S/.gsyncd-host.a/basis/x $S/d/.gsyncd-host.b.2/y; echo x >$S/.gsyncd-host.a/basis/x/1
		echo x >$S/d/e/.gsyncd-host.c.3; ln -s / $S/d/.gsyncd-host.link; mkfifo $S/.gsyncd-host.op.1.2
		echo 2 >d/e/f; touch d`)
	r.twice()
	if own := surveyOf(t, r.secondary).own; len(own) > 0 {
		t.Errorf("left behind: %q", own)
	}
}

// state copies the state directory to where it can be brought back from.
func (r *rig) saveState(t *testing.T) (restore func()) {
	t.Helper()
	copyTo := t.TempDir()
	r.sh("cp -a " + r.state + "/. " + copyTo)
	return func() { r.sh("rm -rf " + r.state + "; mkdir " + r.state + "; cp -a " + copyTo + "/. " + r.state) }
}

// TestStateDeleted: without its state directory the mirror begins a new epoch,
// looks at everything once and sends nothing that is there.
func TestStateDeleted(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		r := newRig(t)
		r.streamed = streamed
		r.sh("mkdir -p d/e f; for i in 1 2 3; do echo $i >d/$i; echo $i >d/e/$i; done; ln d/1 f/link; ln -s x f/sym")
		r.sync()
		r.sh("rm -rf " + r.state + "/index; mkdir " + r.state + "/index; echo new >d/e/4; rm d/3")
		r.session = mirror.Session{}
		s := r.sync()
		r.equal()
		if s.Done.Files > 2 || s.Done.Deletes != 1 {
			t.Errorf("streamed %v: done %+v, want the new file and the removed one alone", streamed, s.Done)
		}
		if s := r.sync(); s.Done.Visited != 0 {
			t.Errorf("streamed %v: a second run entered directories: %+v", streamed, s.Done)
		}
	}
}

// TestStateOlderThanMarks: a state directory brought back from a backup knows
// less than the marks on the secondary. Nothing that changed since may be missed.
func TestStateOlderThanMarks(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir -p a b; echo 1 >a/f; echo 1 >b/f; touch -d 2001-01-01 a/f b/f")
	r.sync()
	restore := r.saveState(t)
	r.sh("printf '2\n' >a/f; touch -d 2001-01-01 a/f; echo x >b/x")
	r.sync()
	r.sh("printf '3\n' >a/f; touch -d 2001-01-01 a/f; rm b/x; mv a c; mkdir a; echo 4 >a/f")
	restore()
	r.sync()
	r.equal()
	if s := r.sync(); s.Done.Visited != 0 {
		t.Errorf("a second run entered directories: %+v", s.Done)
	}
}

// TestSecondaryFilledByOtherMeans: a copy that somebody made is taken as it is,
// once the mirror was told that it may be.
func TestSecondaryFilledByOtherMeans(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir -p d/e; for i in 1 2 3; do echo $i >d/$i; echo $i >d/e/$i; done; cp -a . $S/; echo stale >$S/d/2; echo stray >$S/d/stray")
	r.adopt = true
	s := r.sync()
	r.equal()
	if s.Done.Files != 1 || s.Done.Deletes != 1 {
		t.Errorf("done %+v, want one file and one removal", s.Done)
	}
	if _, err := os.Stat(filepath.Join(r.secondary, "d/stray")); err == nil {
		t.Error("the stray file is there")
	}
}
