package mover_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gsyncd/gsyncd-host/host/mover"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// syncing is a target whose Sync does not reach the data of files.
type syncing struct{ sdk.Target }

func (s syncing) Info() sdk.Info {
	info := s.Target.Info()
	info.Features |= sdk.SyncsFiles
	return info
}

// TestSynced looks whether files that are said to be on the disk have nothing left
// to be written, and whether nothing else is said to be.
func TestSynced(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct {
		name string
		cfg  mover.Config
		want bool
	}{
		{"wanted", mover.Config{Target: syncing{p.target}}, true},
		{"not wanted", mover.Config{}, false},
		{"streamed", mover.Config{Source: remoteSource{p.source}, Target: syncing{p.target}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.write(t, "d/small", make([]byte, 100))
			p.write(t, "d/large", bytes.Repeat([]byte("content "), 1<<17))
			must(t, os.Chmod(filepath.Join(p.from, "d/large"), 0o755|os.ModeSetuid))
			for path, r := range run(t, p.mover(t, c.cfg), p.job(t, "d/small"), p.job(t, "d/large")) {
				if r.Err != nil || r.Synced != c.want {
					t.Errorf("%s: synced %v, %v", path, r.Synced, r.Err)
					continue
				}
				if c.want && dirty(t, filepath.Join(p.to, string(r.Job.Staged))) > 0 {
					t.Errorf("%s: not all of it is on the disk", path)
				}
			}
		})
	}
}

// dirty is how many pages of a file wait to be written.
func dirty(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	var st unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &st, 0); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: whether data is on the disk: this kernel does not tell (before 6.5): %v", err)
	}
	return st.Dirty + st.Writeback
}
