package marker

import (
	"bytes"
	crand "crypto/rand"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// history makes an index of several passes and returns its length after each,
// and the xtimes of each.
func history(r *rig) (lengths []int, states []map[sdk.Path]sdk.XTime) {
	for i := range 6 {
		switch i {
		case 1:
			r.fs.write("a/b/c/f")
		case 2:
			r.fs.rename("a/b", "d/b")
		case 3:
			r.fs.mkdir("n")
			r.fs.rename("a", "n/a")
		case 4:
			r.fs.remove("d/e")
		case 5:
			r.fs.write("n/a/x/f")
		}
		r.quiet()
		lengths = append(lengths, len(r.index()))
		states = append(states, r.xtimes())
	}
	return lengths, states
}

// Wherever a crash cuts the index off, the next pass gives xtimes that are
// larger than those it lost, or of another epoch, to all that lost theirs.
func TestCutAnywhere(t *testing.T) {
	r := small(t)
	lengths, states := history(r)
	whole, last := r.index(), states[len(states)-1]
	h, _, err := readHeader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	snap := h.snap
	for cut := len(whole); cut >= 0; cut -= 1 + cut%5 {
		r.setIndex(whole[:cut])
		if cut > 0 && cut%3 == 0 {
			r.setIndex(append(bytes.Clone(whole[:cut]), make([]byte, 100)...)) // as after a crash: long, and empty
		}
		r.crash()
		if same := r.m.epoch == last["."].Epoch; same != (int64(cut) >= snap) {
			t.Fatalf("cut at %d of %d, snapshot %d: same epoch is %v", cut, len(whole), snap, same)
		}
		r.look()
		after := r.xtimes()
		for p, x := range after {
			was := last[p]
			switch {
			case x.Epoch != was.Epoch:
			case x.Seq < was.Seq:
				t.Fatalf("cut at %d: xtime of %s went from %v down to %v", cut, p, was, x)
			case x == was && cut < lengths[len(lengths)-2] && (p == "n/a/x" || p == "n/a" || p == "n" || p == "."):
				t.Fatalf("cut at %d: xtime of %s is %v again", cut, p, x)
			}
		}
		if cut == len(whole) {
			r.expect("nothing cut", last, after)
		}
	}
}

// The clock neither repeats nor lowers a value although the last batch is lost
// and the wall clock is set back.
func TestReserve(t *testing.T) {
	r := small(t)
	r.fs.write("a/x/f")
	r.quiet()
	before := r.index()
	r.fs.write("a/x/f")
	p := r.quiet()
	r.setIndex(before)
	r.wall = r.wall.Add(-1e15)
	r.crash()
	if q := r.quiet(); q.Root.Seq <= p.Root.Seq || q.Root.Epoch != p.Root.Epoch {
		t.Errorf("xtime went from %v to %v", p.Root, q.Root)
	}
}

// Nor is a value given out twice by those who load the same mark, which is ahead of the
// wall clock after a crash: what the first of them wrote may be lost.
func TestLostBehindTheMark(t *testing.T) {
	r := small(t)
	r.fs.write("a/x/f")
	r.quiet()
	mark := r.index()
	r.crash()
	r.fs.write("a/x/f")
	first := r.quiet()
	r.setIndex(mark)
	r.crash()
	r.fs.write("a/x/f")
	if second := r.quiet(); second.Root == first.Root || second.Root.Epoch != first.Root.Epoch {
		t.Errorf("xtime %v twice, or of another epoch: %v", first.Root, second.Root)
	}
}

func TestDamage(t *testing.T) {
	r := small(t)
	lengths, states := history(r)
	whole, epoch := r.index(), states[0]["."].Epoch
	for at := 0; at < lengths[len(lengths)-2]; at += 1 + at%5 {
		b := bytes.Clone(whole)
		b[at] ^= 0x41
		r.setIndex(b)
		r.log.Reset()
		r.crash()
		if r.m.epoch == epoch {
			t.Fatalf("damage at %d of %d goes unseen", at, len(whole))
		}
		if !strings.Contains(r.log.String(), "level=WARN") {
			t.Fatalf("log: %s", &r.log)
		}
	}
	r.look()
	for p, x := range r.xtimes() {
		if x.Epoch == epoch {
			t.Errorf("old epoch at %s", p)
		}
	}
}

func TestUnfinishedRewrite(t *testing.T) {
	r := small(t)
	before := r.xtimes()
	temp := filepath.Join(r.dir, tempName)
	if err := os.WriteFile(temp, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.crash()
	r.expect("xtimes", before, r.xtimes())
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}

func TestCompaction(t *testing.T) {
	r := newRig(t)
	for i := range 200 {
		r.fs.mkdirAll(sdk.Path("a/" + strings.Repeat("n", 1+i)))
	}
	r.quiet()
	var most int
	for range 60 {
		for _, o := range r.fs.must("a").kids {
			r.fs.touched(o)
		}
		r.fs.pass()
		r.look()
		most = max(most, len(r.index()))
	}
	live := int64(smallIndex) / 2
	for _, n := range r.m.tree.all() {
		live += dirSize(n)
	}
	if int64(most) > 2*live {
		t.Errorf("the index grew to %d bytes, twice what is live is %d", most, 2*live)
	}
	before := r.xtimes()
	r.crash()
	r.expect("xtimes", before, r.xtimes())
	if fi, err := os.Stat(filepath.Join(r.dir, indexName)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("index: %v, %v", fi.Mode(), err)
	}
}

// Batches that a long pass writes before its end are as good as those at it.
func TestLongPass(t *testing.T) {
	r := newRig(t)
	r.quiet()
	for range 6000 {
		b := make([]byte, 100)
		for i := range b {
			b[i] = byte('a' + rand.N(26))
		}
		r.fs.mkdir(sdk.Path(b))
	}
	r.quiet()
	before := r.xtimes()
	r.crash()
	r.expect("xtimes", before, r.xtimes())
	for p := range r.fs.root.kids {
		r.fs.remove(sdk.Path(p))
	}
	r.quiet()
	r.quiet()
	r.fs.create("f")
	r.quiet()
	r.crash()
	if n := r.m.tree.len(); n != 1 {
		t.Errorf("%d directories left", n)
	}
}

func FuzzLoad(f *testing.F) {
	head := header{epoch: 1, ident: sdk.Identity{Filesystem: "fs", Root: sdk.FileID{Ino: 1}}}
	tr := newTree()
	tr.root = tr.add(head.ident.Root, place{})
	a := tr.add(sdk.FileID{Ino: 2}, place{tr.root, "a"})
	b := tr.add(sdk.FileID{Ino: 3}, place{a, "b"})
	batch := appendClock(make([]byte, batchHead), 77)
	for _, r := range []ref{tr.root, a, b} {
		batch = appendDir(batch, tr, moves{b: {from: place{tr.root, "x"}}}, r, false)
	}
	sealBatch(batch)
	head.snap = int64(len(head.encode()) + len(batch))
	second := appendForget(make([]byte, batchHead), sdk.FileID{Ino: 2})
	sealBatch(second)
	whole := append(append(head.encode(), batch...), second...)
	f.Add(whole, batch[batchHead:])
	f.Add(whole[:len(whole)-3], second[batchHead:])
	f.Add(whole, named(tr, a, b))
	f.Add(whole, appendForget(nil, head.ident.Root))
	// The second argument is sealed into a batch, so that what lies behind the
	// checksum is reached too.
	f.Fuzz(func(t *testing.T, file, payload []byte) {
		check(t, file)
		if len(payload) > 0 {
			b := append(make([]byte, batchHead), payload...)
			sealBatch(b)
			check(t, append(bytes.Clone(whole), b...))
		}
	})
}

// named are records of names, in two pieces, with their directories', and of a point.
func named(t *tree, dirs ...ref) (out []byte) {
	table := newLinkTable(func(ref) bool { return false }, func(ref) bool { return false }, func() bool { return false })
	for _, r := range dirs {
		b := &linkBatch{}
		for _, name := range []string{"x", "y", strings.Repeat("z", sdk.MaxName)} {
			b.add(&sdk.Entry{Name: name, Type: sdk.TypeRegular, ID: sdk.FileID{Ino: 9}, Nlink: 7, Size: 3, Ctime: nanos(5)})
		}
		table.replace(r, b)
		at := table.names[table.dirs[r]].sibling
		table.names[table.dirs[r]].sibling = 0
		out, _ = table.appendNames(out, t.at(r).id, r, table.dirs[r])
		out, _ = table.appendNames(out, t.at(r).id, r, at)
		out = appendDir(out, t, moves{}, r, true)
		table.names[table.dirs[r]].sibling = at
	}
	return appendPoint(out, kept{"here", 70})
}

// check loads a file and, if that can be done, uses what was loaded.
func check(t *testing.T, file []byte) {
	st, err := load(bytes.NewReader(file))
	if err != nil {
		return
	}
	if st.size > int64(len(file)) || st.head.epoch == 0 {
		t.Fatalf("loaded %d of %d bytes, epoch %d", st.size, len(file), st.head.epoch)
	}
	for r, n := range st.tree.all() {
		p, ok := st.tree.path(r)
		if ok && p.Validate() != nil {
			t.Fatalf("path %q: %v", p, p.Validate())
		}
		if n.own > st.clock {
			t.Fatalf("stamp %d beyond the clock %d", n.own, st.clock)
		}
		for at := n.parent; at != 0 && !n.is(flagGhost); at = st.tree.at(at).parent {
			if st.tree.at(at).max < n.max {
				t.Fatal("a parent is older than its child")
			}
		}
	}
	if len(st.point.at) > MaxPoint {
		t.Fatalf("a point of %d bytes", len(st.point.at))
	}
	m := &Marker{journal: &journal{stale: true}, rand: crand.Reader}
	m.clock.wall = time.Now
	if err := m.take(st); err != nil {
		t.Fatal(err)
	}
	for dir := range m.links.dirs {
		if n := m.tree.at(dir); n.id.IsZero() || n.is(flagGhost) {
			t.Fatal("names in no directory")
		}
	}
	m.moves.list(m.tree, func(ref, *node) bool { return true })
	for r := range m.tree.all() {
		if r != m.tree.root && r%2 == 0 {
			m.missing[r] = 1
		}
	}
	m.forget(2)
	checkTree(t, m)
}

// checkTree holds the lists and sums of an index against a count.
func checkTree(t *testing.T, m *Marker) {
	t.Helper()
	var sum totals
	kids := 0
	for r, n := range m.tree.all() {
		sum.entries += int64(n.entries)
		sum.bytes += n.bytes
		sum.records += dirSize(n)
		for c, prev := n.kid, ref(0); c != 0; prev, c = c, m.tree.at(c).next {
			k := m.tree.at(c)
			if k.parent != r || k.prev != prev || k.id.IsZero() {
				t.Fatalf("node %d is no child of %d", c, r)
			}
			kids++
		}
		if n.is(flagsPending) && !n.is(flagGhost) && n.own != 0 {
			if _, ok := m.pending[r]; !ok {
				t.Fatalf("node %d does not wait to be listed", r)
			}
		}
		if _, ghost := m.ghosts[r]; ghost != n.is(flagGhost) {
			t.Fatalf("node %d: a ghost is %v", r, ghost)
		}
	}
	if m.tree.root != 0 && kids != m.tree.len()-1 {
		t.Fatalf("%d of %d nodes hang on one", kids, m.tree.len())
	}
	if sum != m.tree.total {
		t.Fatalf("sums are %+v, not %+v", m.tree.total, sum)
	}
	var bytes, room int64
	names := 0
	for i := range m.links.files {
		f := &m.links.files[i]
		bytes += f.size
		for at := f.head; at != 0; at = m.links.names[at].next {
			names++
			room += nameFixed + int64(len(m.links.names[at].name))
		}
		names -= int(f.known)
	}
	if bytes != m.links.bytes || room != m.links.room || names != 0 {
		t.Fatalf("links of %d bytes, not %d; %d in the index, not %d; %d names too many",
			m.links.bytes, bytes, m.links.room, room, names)
	}
}
