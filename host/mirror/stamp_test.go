package mirror_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// stampsOf gives, for each directory of the secondary, what is in it and below,
// and the native xtime that it carries.
func (v *volume) stampsOf() (content map[string]string, stamps map[string]sdk.NativeXTime) {
	v.t.Helper()
	content, stamps = map[string]string{}, map[string]sdk.NativeXTime{}
	err := filepath.WalkDir(v.secondary, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(d.Name(), sdk.ReservedPrefix) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(v.secondary, path)
		line := fmt.Sprintf("%q %v", rel, info.Mode())
		if d.IsDir() {
			stamps[rel] = v.carried[inode(v.t, path)]
		} else {
			st := info.Sys().(*syscall.Stat_t)
			line += fmt.Sprintf(" %d %d %v", st.Ino, st.Size, st.Ctim)
		}
		if !d.IsDir() {
			rel = filepath.Dir(rel)
		}
		for dir := rel; ; dir = filepath.Dir(dir) {
			content[dir] += line + "\n"
			if dir == "." {
				return err
			}
		}
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return content, stamps
}

// TestWhatIsDoneMovesTheStamp: whatever is done to a directory of the secondary,
// or below, it carries another native xtime afterwards, also where the primary
// has marked nothing. Who mirrors it further goes by that.
func TestWhatIsDoneMovesTheStamp(t *testing.T) {
	v := newVolume(newRig(t))
	v.sweep = 24 * time.Hour
	v.sh(nativeTree + "; ln d/1 g/link; ln d/e/2 d/f/hard")
	v.age()
	v.sync()
	_, was := v.stampsOf()
	for d, x := range was {
		if x.IsZero() {
			t.Errorf("%s carries nothing", d)
		}
	}
	for i, c := range []struct{ name, sh, hole string }{
		{"a name of a file with two", "echo more >>d/1", "g"},
		{"a name of another", "echo more >>d/f/hard", "d/e"},
		{"a name of a file that was changed on the secondary", "echo drift >>$S/d/1; touch d/other", ""},
		{"a hole, with a change beside it", "echo hidden >>g/4; touch 5", "g"},
		{"a hole", "echo hidden >>d/e/2", "d/e"},
		{"a hole, twice", "echo hidden >>d/e/2", "d/e"},
		{"the secondary was changed", "echo drift >>$S/g/4; rm $S/d/f/3; mkdir $S/d/e/stranger", ""},
		{"a directory moves", "mv d/e g/e", ""},
		{"new ones", "mkdir -p n/o/p; echo >n/o/p/q; rm -r d/f", ""},
	} {
		v.hidden = func(rel string) bool { return c.hole != "" && (rel == c.hole || strings.HasPrefix(rel, c.hole+"/")) }
		if c.hole == "" {
			v.hidden = func(string) bool { return false }
		}
		v.sync() // what the hole is now is nothing new
		var before map[string]string
		before, was = v.stampsOf()
		v.sh(c.sh)
		if i > 2 {
			v.later(time.Duration(i) * 60 * time.Hour) // a sweep is due
		}
		v.sync()
		v.sync()
		v.equal()
		after, is := v.stampsOf()
		for d := range after {
			if after[d] != before[d] && is[d] == was[d] {
				t.Errorf("%s: %s carries %s as before", c.name, d, is[d])
			}
			if is[d].IsZero() {
				t.Errorf("%s: %s carries nothing", c.name, d)
			}
		}
	}
}
