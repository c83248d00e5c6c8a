package crawl

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

func file(name string, size, mtime, ctime int64) *sdk.Entry {
	return &sdk.Entry{Name: name, Type: sdk.TypeRegular, Perm: 0o644, Nlink: 1, Size: size,
		Mtime: sdk.Time{Sec: mtime}, Ctime: sdk.Time{Sec: ctime}, ID: sdk.FileID{Ino: 1, Gen: 1}}
}

func entry(name string, typ sdk.Type) *sdk.Entry {
	return &sdk.Entry{Name: name, Type: typ, Perm: 0o700, Nlink: 1, ID: sdk.FileID{Ino: 2, Gen: 1}, Ctime: sdk.Time{Sec: 1}}
}

func with(e *sdk.Entry, f func(*sdk.Entry)) *sdk.Entry { f(e); return e }

func policy() *Policy {
	return &Policy{
		Features: sdk.CanOwner | sdk.CanDevices | sdk.CanHardlinks | sdk.CanSpecial | sdk.FineMtime,
		Links:    func(sdk.FileID) []sdk.Path { return nil },
	}
}

var since50 = Visit{Trust: TrustSince, Since: sdk.Time{Sec: 50}}

func TestDecide(t *testing.T) {
	unreadable := &sdk.Entry{Name: "x", Err: &sdk.Error{Kind: sdk.KindTransient}}
	type brief struct {
		Kind     Kind
		InTheWay bool
		Compare  bool
		Mask     sdk.MetaMask
	}
	for _, c := range []struct {
		name string
		pol  func(*Policy)
		v    Visit
		p, s *sdk.Entry
		want brief
	}{
		{name: "new file", v: since50, p: file("a", 1, 1, 1), want: brief{Kind: Send}},
		{name: "same, vouched for", v: since50, p: file("a", 1, 1, 49), s: file("a", 1, 1, 99)},
		{name: "same looks, changed since: mtime set back", v: since50, p: file("a", 1, 1, 50), s: file("a", 1, 1, 9), want: brief{Kind: Send, Compare: true}},
		{name: "same looks, failed before", v: Visit{Trust: TrustSince, Since: sdk.Time{Sec: 50}, Again: map[string]struct{}{"a": {}}}, p: file("a", 1, 1, 1), s: file("a", 1, 1, 9), want: brief{Kind: Send, Compare: true}},
		{name: "same looks, foreign directory", v: Visit{Trust: TrustNothing}, p: file("a", 1, 1, 1), s: file("a", 1, 1, 9), want: brief{Kind: Send, Compare: true}},
		{name: "same looks, never ours", v: Visit{}, p: file("a", 1, 1, 99), s: file("a", 1, 1, 9), want: brief{Kind: Meta, Mask: sdk.MetaXattrs | sdk.MetaPerm}},
		{name: "another type where a device cannot be kept", pol: func(p *Policy) { p.Features &^= sdk.CanDevices }, v: since50, p: entry("a", sdk.TypeBlock), s: file("a", 1, 1, 9), want: brief{Kind: Delete}},
		{name: "size differs", v: since50, p: file("a", 2, 1, 1), s: file("a", 1, 1, 9), want: brief{Kind: Send}},
		{name: "mtime differs", v: since50, p: file("a", 1, 2, 1), s: file("a", 1, 1, 9), want: brief{Kind: Send, Compare: true}},
		{name: "mode drifted", v: since50, p: file("a", 1, 1, 1), s: with(file("a", 1, 1, 9), func(e *sdk.Entry) { e.Perm = 0o600 }), want: brief{Kind: Meta, Mask: sdk.MetaPerm | sdk.MetaXattrs}},
		{name: "owner drifted", v: since50, p: file("a", 1, 1, 1), s: with(file("a", 1, 1, 9), func(e *sdk.Entry) { e.UID = 7 }), want: brief{Kind: Meta, Mask: sdk.MetaOwner | sdk.MetaPerm | sdk.MetaXattrs}},
		{name: "owner cannot be kept", pol: func(p *Policy) { p.Features &^= sdk.CanOwner }, v: since50, p: file("a", 1, 1, 1), s: with(file("a", 1, 1, 9), func(e *sdk.Entry) { e.UID = 7 })},
		{name: "coarse mtime", pol: func(p *Policy) { p.Features &^= sdk.FineMtime }, v: since50, p: with(file("a", 1, 1, 1), func(e *sdk.Entry) { e.Mtime.Nsec = 5 }), s: file("a", 1, 1, 9)},
		{name: "file over symlink", v: since50, p: file("a", 1, 1, 1), s: entry("a", sdk.TypeSymlink), want: brief{Kind: Send}},
		{name: "file over directory", v: since50, p: file("a", 1, 1, 1), s: entry("a", sdk.TypeDir), want: brief{Kind: Send, InTheWay: true}},
		{name: "directory over file", v: since50, p: entry("a", sdk.TypeDir), s: file("a", 1, 1, 1), want: brief{Kind: MakeDir, InTheWay: true}},
		{name: "directory on both sides", v: since50, p: entry("a", sdk.TypeDir), s: entry("a", sdk.TypeDir), want: brief{Kind: Enter}},
		{name: "symlink elsewhere", v: since50, p: with(entry("a", sdk.TypeSymlink), func(e *sdk.Entry) { e.Target = "x" }), s: with(entry("a", sdk.TypeSymlink), func(e *sdk.Entry) { e.Target = "y" }), want: brief{Kind: Make}},
		{name: "symlink same", v: since50, p: entry("a", sdk.TypeSymlink), s: entry("a", sdk.TypeSymlink)},
		{name: "fifo touched since", v: since50, p: with(entry("a", sdk.TypeFIFO), func(e *sdk.Entry) { e.Ctime.Sec = 60 }), s: entry("a", sdk.TypeFIFO), want: brief{Kind: Meta, Mask: sdk.MetaAll}},
		{name: "device number differs", v: since50, p: with(entry("a", sdk.TypeChar), func(e *sdk.Entry) { e.Minor = 3 }), s: entry("a", sdk.TypeChar), want: brief{Kind: Make}},
		{name: "device cannot be kept", pol: func(p *Policy) { p.Features &^= sdk.CanDevices }, v: since50, p: entry("a", sdk.TypeBlock), want: brief{Kind: Skip}},
		{name: "link broken on the primary", v: since50, p: file("a", 1, 1, 60), s: with(file("a", 1, 1, 9), func(e *sdk.Entry) { e.Nlink = 2 }), want: brief{Kind: Send}},
		{name: "secondary's links are its own affair while nothing changed", v: since50, p: file("a", 1, 1, 1), s: with(file("a", 1, 1, 9), func(e *sdk.Entry) { e.Nlink = 2 })},
		{name: "stranger", v: since50, s: file("a", 1, 1, 1), want: brief{Kind: Delete}},
		{name: "stranger kept", pol: func(p *Policy) { p.Keep = true }, v: since50, s: file("a", 1, 1, 1)},
		{name: "our leftover goes even so", pol: func(p *Policy) { p.Keep = true }, v: since50, s: file(sdk.ReservedPrefix+"1", 1, 1, 1), want: brief{Kind: Leftover}},
		{name: "our names on the primary are not mirrored", v: since50, p: file(sdk.ReservedPrefix+"1", 1, 1, 1)},
		{name: "unreadable", v: since50, p: unreadable, s: file("x", 1, 1, 1), want: brief{Kind: Fail}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pol := policy()
			if c.pol != nil {
				c.pol(pol)
			}
			a := pol.Decide("d", c.v, c.p, c.s)
			got := brief{a.Kind, a.InTheWay, a.Compare, a.Mask}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestDecideHardLinks(t *testing.T) {
	pol := policy()
	pol.Links = func(sdk.FileID) []sdk.Path { return []sdk.Path{"d/a", "d/b", "e/c"} }
	p := with(file("a", 1, 1, 60), func(e *sdk.Entry) { e.Nlink = 3 })
	if a := pol.Decide("d", since50, p, nil); a.Kind != Send {
		t.Errorf("the first name: %s, want send", a.Kind)
	}
	q := with(file("b", 1, 1, 60), func(e *sdk.Entry) { e.Nlink = 3 })
	if a := pol.Decide("d", since50, q, nil); a.Kind != Link || a.Leader != "d/a" {
		t.Errorf("a further name: %s of %q, want link of d/a", a.Kind, a.Leader)
	}
	pol.Features &^= sdk.CanHardlinks
	if a := pol.Decide("d", since50, q, nil); a.Kind != Send {
		t.Errorf("without hard links: %s, want send", a.Kind)
	}
}

func TestMergeMeetsEveryNameOnce(t *testing.T) {
	list := func(names ...string) Listing {
		return func() *sdk.Entry {
			if len(names) == 0 {
				return nil
			}
			e := file(names[0], 1, 1, 99)
			names = names[1:]
			return e
		}
	}
	got := map[string]Kind{}
	for a := range policy().Merge(".", since50, list("a", "b", "d", "\xff"), list("b", "c", "d", "e")) {
		if _, twice := got[a.Name()]; twice {
			t.Errorf("%q twice", a.Name())
		}
		got[a.Name()] = a.Kind
	}
	want := map[string]Kind{"a": Send, "b": Send, "c": Delete, "d": Send, "e": Delete, "\xff": Send}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestNewVisit(t *testing.T) {
	id, other := sdk.FileID{Ino: 1, Gen: 1}, sdk.FileID{Ino: 2, Gen: 1}
	now := sdk.Time{Sec: 100}
	mark := Mark{XTime: sdk.XTime{Epoch: 1, Seq: 2}, Dir: id, Since: sdk.Time{Sec: 50}}.Encode()
	future := Mark{Dir: id, Since: sdk.Time{Sec: 101}}.Encode()
	for _, c := range []struct {
		name string
		raw  []byte
		dir  sdk.FileID
		full bool
		want Trust
	}{
		{"no mark", nil, id, false, TrustLooks},
		{"its own", mark, id, false, TrustSince},
		{"of another directory", mark, other, false, TrustNothing},
		{"unreadable", mark[1:], id, false, TrustNothing},
		{"from a clock that was set back", future, id, false, TrustNothing},
		{"comparison of everything", mark, id, true, TrustNothing},
	} {
		if got := NewVisit(c.raw, c.dir, now, c.full).Trust; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add(Mark{XTime: sdk.XTime{Epoch: 1, Seq: 2}, Dir: sdk.FileID{Ino: 3, Gen: 4}, Since: sdk.Time{Sec: -5, Nsec: 6}}.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMark(b)
		if err != nil {
			return
		}
		if string(m.Encode()) != string(b) {
			t.Errorf("%x decodes to %+v, which encodes to %x", b, m, m.Encode())
		}
	})
}

// TestBegunMarkVouchesForEntriesAlone: a directory whose filling did not end has
// not got its own attributes yet.
func TestBegunMarkVouchesForEntriesAlone(t *testing.T) {
	dir := sdk.FileID{Ino: 1, Gen: 2}
	since, now := sdk.Time{Sec: 10}, sdk.Time{Sec: 20}
	for _, x := range []sdk.XTime{{}, {Epoch: 1, Seq: 1}} {
		m := Mark{XTime: x, Dir: dir, Since: since}
		v := NewVisit(m.Encode(), dir, now, false)
		if v.Trust != TrustSince || v.Since != since || v.Begun != x.IsZero() {
			t.Errorf("mark at %v: %+v", x, v)
		}
	}
}

func TestLooksUpToAPoint(t *testing.T) {
	old := sdk.Entry{Name: "f", Ctime: sdk.Time{Sec: 9}}
	young := sdk.Entry{Name: "f", Ctime: sdk.Time{Sec: 10}}
	v := Visit{Trust: TrustLooks}
	p := Policy{}
	for _, c := range []struct {
		since sdk.Time
		entry sdk.Entry
		want  Kind
	}{{sdk.Time{}, young, Meta}, {sdk.Time{Sec: 10}, old, Meta}, {sdk.Time{Sec: 10}, young, Send}} {
		v.Since = c.since
		c.entry.Type = sdk.TypeRegular
		if a := p.Decide(sdk.Root, v, &c.entry, &c.entry); a.Kind != c.want || a.Compare != (c.want == Send) {
			t.Errorf("since %v, changed at %v: %v", c.since, c.entry.Ctime, a)
		}
	}
}
