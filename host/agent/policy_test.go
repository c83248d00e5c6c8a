package agent_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
)

const r = sdk.ReservedPrefix

// attacks are meant to make a name vanish. All of them leave the tree as it is
// under a policy that keeps it.
func attacks() map[string][]sdk.Op {
	return map[string][]sdk.Op{
		"remove":                  {{Kind: sdk.OpRemove, Path: "keep"}},
		"remove tree":             {{Kind: sdk.OpRemoveTree, Path: "d"}},
		"remove tree of a file":   {{Kind: sdk.OpRemoveTree, Path: "d/f"}},
		"remove root":             {{Kind: sdk.OpRemoveTree, Path: "."}},
		"remove empty directory":  {{Kind: sdk.OpRemoveTree, Path: "d/e"}},
		"rename away":             {{Kind: sdk.OpRename, From: "keep", Path: r + "x"}, {Kind: sdk.OpRemove, Path: r + "x"}},
		"rename directory away":   {{Kind: sdk.OpRename, From: "d", Path: r + "x"}, {Kind: sdk.OpRemoveTree, Path: r + "x"}},
		"rename into staged":      {{Kind: sdk.OpMkdir, Path: r + "x"}, {Kind: sdk.OpRename, From: "d/f", Path: r + "x/f"}, {Kind: sdk.OpRemoveTree, Path: r + "x"}},
		"rename chain":            {{Kind: sdk.OpMkdir, Path: "n"}, {Kind: sdk.OpRename, From: "d", Path: "n/d"}, {Kind: sdk.OpRename, From: "n", Path: r + "n"}, {Kind: sdk.OpRemoveTree, Path: r + "n"}},
		"rename over itself":      {{Kind: sdk.OpRename, From: "d/other", Path: "keep"}},
		"staged made real":        {{Kind: sdk.OpMkdir, Path: r + "x"}, {Kind: sdk.OpRename, From: r + "x", Path: "n"}, {Kind: sdk.OpRename, From: "n", Path: r + "x"}, {Kind: sdk.OpRemoveTree, Path: "n"}},
		"cached directory":        {{Kind: sdk.OpMkdir, Path: r + "x"}, {Kind: sdk.OpLink, From: "keep", Path: r + "x/k"}, {Kind: sdk.OpRename, From: r + "x", Path: "n"}, {Kind: sdk.OpRemove, Path: r + "x/k"}},
		"link, then remove":       {{Kind: sdk.OpLink, From: "keep", Path: r + "l"}, {Kind: sdk.OpRemove, Path: r + "l"}},
		"link tree, then remove":  {{Kind: sdk.OpMkdir, Path: r + "x"}, {Kind: sdk.OpLink, From: "keep", Path: r + "x/0"}, {Kind: sdk.OpRemoveTree, Path: r + "x"}},
		"dots":                    {{Kind: sdk.OpRemove, Path: r + "x/../keep"}},
		"dots above":              {{Kind: sdk.OpRemove, Path: "../outside"}, {Kind: sdk.OpRemoveTree, Path: "d/../../outside"}},
		"absolute":                {{Kind: sdk.OpRemoveTree, Path: "/"}, {Kind: sdk.OpRemove, Path: "/etc/hostname"}},
		"empty component":         {{Kind: sdk.OpRemove, Path: "d//f"}, {Kind: sdk.OpRemove, Path: "./keep"}},
		"through a link":          {{Kind: sdk.OpRemove, Path: "link/outside"}},
		"through a staged link":   {{Kind: sdk.OpSymlink, Path: r + "l", Target: "../root/d"}, {Kind: sdk.OpRemove, Path: r + "l/f"}, {Kind: sdk.OpRemoveTree, Path: r + "l/e"}, {Kind: sdk.OpRemoveTree, Path: r + "l"}},
		"rename from above":       {{Kind: sdk.OpRename, From: r + "x/../d", Path: r + "y"}},
		"nearly reserved":         {{Kind: sdk.OpRemove, Path: ".gsyncd-host"}, {Kind: sdk.OpRename, From: "keep", Path: ".gsyncd-host"}},
		"unknown operation":       {{Kind: 99, Path: "keep"}},
		"directory over the root": {{Kind: sdk.OpRename, From: r + "x", Path: "."}},
		"link to the root":        {{Kind: sdk.OpLink, From: ".", Path: r + "x"}},
	}
}

// made are the names that some attacks add, which is not forbidden.
var made = []string{"n", "n/k"}

func TestKeepsEntries(t *testing.T) {
	for _, access := range []agent.Access{agent.NoDelete, agent.AppendOnly} {
		for name, ops := range attacks() {
			t.Run(access.Flag()+"/"+name, func(t *testing.T) {
				// Once through the protocol, whose client refuses some of it itself,
				// and once without.
				th := newThief(t, agent.Policy{Access: access})
				before := th.tree()
				said := th.do(ops...)
				th.bypass(agent.Policy{Access: access}, time.Now)
				said = append(said, th.do(ops...)...)
				for i := range ops { // one by one as well
					said = append(said, th.do(ops[i])...)
				}
				after := th.tree()
				for _, name := range made {
					delete(after, name)
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("the tree changed (-before +after):\n%s\n%q", diff, said)
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(th.root), "outside")); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestAttacksWork makes sure that the attacks above are ones: without a policy
// some of them do harm.
func TestAttacksWork(t *testing.T) {
	for _, name := range []string{"remove", "remove tree", "rename away", "rename chain", "rename into staged"} {
		th := newThief(t, agent.Policy{})
		before := th.tree()
		th.do(attacks()[name]...)
		if cmp.Equal(before, th.tree()) {
			t.Errorf("%s did nothing", name)
		}
	}
}

// TestAppendOnly tries to change what is in place.
func TestAppendOnly(t *testing.T) {
	xattr := sdk.Meta{Mask: sdk.MetaPerm, Perm: 0}
	for name, ops := range map[string][]sdk.Op{
		"rename over":        {{Kind: sdk.OpRename, From: r + "new", Path: "keep"}},
		"link over":          {{Kind: sdk.OpLink, From: r + "new", Path: "d/f"}},
		"link real over":     {{Kind: sdk.OpLink, From: "d/g", Path: "d/f"}},
		"symlink over":       {{Kind: sdk.OpSymlink, Path: "keep", Target: "x"}},
		"fifo over":          {{Kind: sdk.OpMknod, Path: "d/f", Type: sdk.TypeFIFO}},
		"symlink over link":  {{Kind: sdk.OpSymlink, Path: "link", Target: "x"}},
		"directory over":     {{Kind: sdk.OpMkdir, Path: r + "d"}, {Kind: sdk.OpRename, From: r + "d", Path: "d/f"}},
		"attributes":         {{Kind: sdk.OpSetMeta, Path: "keep", Meta: xattr}},
		"attributes by link": {{Kind: sdk.OpLink, From: "keep", Path: r + "l"}, {Kind: sdk.OpSetMeta, Path: r + "l", Meta: xattr}},
		"attributes by link over staged": {
			{Kind: sdk.OpLink, From: "d/f", Path: r + "new"}, {Kind: sdk.OpSetMeta, Path: r + "new", Meta: xattr}},
		"attributes by link in staged": {{Kind: sdk.OpMkdir, Path: r + "x"}, {Kind: sdk.OpLink, From: "d/f", Path: r + "x/0"},
			{Kind: sdk.OpSetMeta, Path: r + "x/0", Meta: xattr}},
		"attributes after a rename": {{Kind: sdk.OpLink, From: "d/f", Path: r + "l"}, {Kind: sdk.OpRename, From: r + "l", Path: r + "m"},
			{Kind: sdk.OpSetMeta, Path: r + "m", Meta: xattr}},
	} {
		t.Run(name, func(t *testing.T) {
			th := newThief(t, agent.Policy{Access: agent.AppendOnly})
			if err := th.put(r+"new", "new"); err != nil {
				t.Fatal(err)
			}
			before := th.tree()
			said := th.do(ops...)
			if last := said[len(said)-1]; !strings.Contains(last, "--append-only") {
				t.Errorf("not refused: %q", said)
			}
			if diff := cmp.Diff(before, th.tree()); diff != "" {
				t.Errorf("the tree changed (-before +after):\n%s\n%q", diff, said)
			}
		})
	}
}

// TestKeepsEntriesMirrors does what a mirror does, which the policies allow.
func TestKeepsEntriesMirrors(t *testing.T) {
	for _, access := range []agent.Access{agent.NoDelete, agent.AppendOnly} {
		t.Run(access.Flag(), func(t *testing.T) {
			th := newThief(t, agent.Policy{Access: access})
			if th.target.Info().Features&sdk.KeepsEntries == 0 {
				t.Error("the host is not told that entries stay")
			}
			for _, p := range []sdk.Path{r + "1", r + "2", "d/" + r + "3"} {
				if err := th.put(p, "new"); err != nil {
					t.Fatal(err)
				}
			}
			job := sdk.Path(r + "job-X")
			all := sdk.Meta{Mask: sdk.MetaPerm, Perm: 0o750}
			ops := []sdk.Op{
				{Kind: sdk.OpRename, From: r + "1", Path: "new"},
				{Kind: sdk.OpMkdir, Path: "n"}, {Kind: sdk.OpSetMark, Path: "n", Mark: []byte("junk \x00\xff")},
				{Kind: sdk.OpSetMark, Path: "."}, {Kind: sdk.OpSetMark, Path: "d", Mark: make([]byte, sdk.MaxMark)},
				{Kind: sdk.OpMkdir, Path: "d"},
				{Kind: sdk.OpRename, From: "d/" + r + "3", Path: "n/f"},
				{Kind: sdk.OpLink, From: "n/f", Path: "n/second"},
				{Kind: sdk.OpSymlink, Path: "n/l", Target: "f"}, {Kind: sdk.OpMknod, Path: "n/p", Type: sdk.TypeFIFO},
				{Kind: sdk.OpSetMeta, Path: "n", Meta: all}, {Kind: sdk.OpSetMeta, Path: ".", Meta: sdk.Meta{Mask: sdk.MetaPerm, Perm: 0o755}},
				{Kind: sdk.OpMkdir, Path: job}, {Kind: sdk.OpMkdir, Path: job + "/out"}, {Kind: sdk.OpMkdir, Path: job + "/basis"},
				{Kind: sdk.OpLink, From: "keep", Path: job + "/basis/0"},
				{Kind: sdk.OpRename, From: r + "2", Path: job + "/out/0"},
				{Kind: sdk.OpSetMeta, Path: job + "/out/0", Meta: all},
				{Kind: sdk.OpRename, From: job + "/out/0", Path: r + "4"},
				{Kind: sdk.OpRemoveTree, Path: job}, {Kind: sdk.OpRemove, Path: r + "4"},
			}
			for i, err := range th.do(ops...) {
				if err != "" && !(ops[i].Kind == sdk.OpSetMark && strings.Contains(err, "not supported")) {
					t.Errorf("%s %s: %s", ops[i].Kind, ops[i].Path, err)
				}
			}
			if access == agent.NoDelete { // an earlier version may be replaced
				must(t, nilable(th.put(r+"5", "newer")))
				if said := th.do(sdk.Op{Kind: sdk.OpRename, From: r + "5", Path: "d/f"}, sdk.Op{Kind: sdk.OpSetMeta, Path: "keep", Meta: all}); strings.Join(said, "") != "" {
					t.Error(said)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(th.root, r+"*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestAppendOnlySameAttributes sets what is set.
func TestAppendOnlySameAttributes(t *testing.T) {
	th := newThief(t, agent.Policy{Access: agent.AppendOnly})
	found, err := th.target.Stat(t.Context(), []sdk.Path{"keep"}, sdk.FieldXattrs)
	must(t, err)
	same := sdk.MetaOf(&found[0], sdk.MetaAll)
	later, open, attr := same, same, same
	later.Mtime.Sec++
	open.Perm ^= 0o002
	attr.Xattrs = append([]sdk.Xattr{}, sdk.Xattr{Name: "user.x", Value: []byte("x")})
	said := th.do(sdk.Op{Kind: sdk.OpSetMeta, Path: "keep", Meta: same}, sdk.Op{Kind: sdk.OpSetMeta, Path: "keep", Meta: later},
		sdk.Op{Kind: sdk.OpSetMeta, Path: "keep", Meta: open}, sdk.Op{Kind: sdk.OpSetMeta, Path: "keep", Meta: attr})
	for i, err := range said {
		if i == 3 && th.target.Info().Features&sdk.CanXattrs == 0 {
			continue
		}
		if strings.Contains(err, "--append-only") != (i > 0) {
			t.Errorf("%d: %q", i, err)
		}
	}
	after, err := th.target.Stat(t.Context(), []sdk.Path{"keep"}, sdk.FieldXattrs)
	must(t, err)
	if diff := cmp.Diff(found, after); diff != "" {
		t.Error(diff)
	}
}

// TestKeepsEntriesWrites begins files where none may begin.
func TestKeepsEntriesWrites(t *testing.T) {
	th := newThief(t, agent.Policy{Access: agent.NoDelete})
	if said := th.do(sdk.Op{Kind: sdk.OpMkdir, Path: r + "x"}); said[0] != "" {
		t.Fatal(said)
	}
	before := th.tree()
	for _, p := range []sdk.Path{"keep", "new", "d/f", r + "x/f", r + "x/" + r + "f"} {
		if err := th.put(p, "new"); err == nil || !strings.Contains(err.Error(), "--no-delete") {
			t.Errorf("%s: %v", p, err)
		}
	}
	if diff := cmp.Diff(before, th.tree()); diff != "" {
		t.Errorf("the tree changed (-before +after):\n%s", diff)
	}
}

// TestAtOnce links files to a name whose attributes another call sets: under
// AppendOnly no file in place may ever get them.
func TestAtOnce(t *testing.T) {
	th := newThief(t, agent.Policy{Access: agent.AppendOnly})
	th.bypass(agent.Policy{Access: agent.AppendOnly}, time.Now)
	before := th.tree()
	var side sync.WaitGroup
	for range 300 {
		must(t, nilable(th.put(r+"x", "")))
		side.Go(func() { th.do(sdk.Op{Kind: sdk.OpLink, From: "d/f", Path: r + "x"}) })
		th.do(sdk.Op{Kind: sdk.OpSetMeta, Path: r + "x", Meta: sdk.Meta{Mask: sdk.MetaPerm}})
		side.Wait()
		th.do(sdk.Op{Kind: sdk.OpRemove, Path: r + "x"})
	}
	if diff := cmp.Diff(before, th.tree()); diff != "" {
		t.Errorf("the tree changed (-before +after):\n%s", diff)
	}
}

// TestOversized sends more than a message may hold.
func TestOversized(t *testing.T) {
	th := newThief(t, agent.Policy{Access: agent.NoDelete})
	before := th.tree()
	ops := make([]sdk.Op, 3*sdk.MaxBatch)
	for i := range ops {
		ops[i] = sdk.Op{Kind: sdk.OpRemove, Path: "keep"}
	}
	th.do(ops...)
	long := sdk.Path(strings.Repeat("x/", sdk.MaxPath) + "x")
	th.do(sdk.Op{Kind: sdk.OpRemoveTree, Path: long})
	th.do(sdk.Op{Kind: sdk.OpSetMark, Path: "d", Mark: make([]byte, 1<<20)})
	if diff := cmp.Diff(before, th.tree()); diff != "" {
		t.Errorf("the tree changed (-before +after):\n%s", diff)
	}
}

// TestReadOnly reads, and may not open for more.
func TestReadOnly(t *testing.T) {
	th := dial(t, agent.Policy{Access: agent.ReadOnly})
	if _, err := th.driver.OpenTarget(t.Context(), th.request(sdk.Secondary)); sdk.KindOf(err) != sdk.KindPermission || !strings.Contains(err.Error(), "--read-only") {
		t.Errorf("opened as a secondary: %v", err)
	}
	src, err := th.driver.OpenSource(t.Context(), th.request(sdk.Primary))
	must(t, err)
	found, err := src.Stat(t.Context(), []sdk.Path{"keep"}, 0)
	if err != nil || found[0].Size != int64(len("old keep")) {
		t.Errorf("%v, %v", found, err)
	}
	must(t, src.Close())
}

// TestOtherGrant comes to a session with its token, by another restriction.
func TestOtherGrant(t *testing.T) {
	doors := shortDir(t)
	a, err := agent.New(agent.Options{URL: "file://" + t.TempDir(), Drivers: drivers(), Doors: doors, Grant: "mine"})
	must(t, err)
	near, far := net.Pipe()
	go func() { _ = a.Serve(context.WithoutCancel(t.Context()), far) }()
	s, err := process.DialStream(t.Context(), near, process.StreamOptions{})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	tokens, err := agent.Sessions(doors)
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%q, %v", tokens, err)
	}
	for grant, known := range map[string]bool{"mine": true, "": false, "other": false} {
		client, relay := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		err := agent.Relay(t.Context(), relay, doors, tokens[0], grant, "v")
		// This client does not resume, which only those hear whom it concerns.
		if told := err != nil && strings.Contains(err.Error(), "does not resume"); told != known {
			t.Errorf("%q: %v", grant, err)
		}
		_ = client.Close()
	}
	server := agent.Rsync{Doors: doors, Token: tokens[0], Grant: "other", Dir: r + "job-X", Args: []string{"--server", "-Ie.LsfxCIvu", ".", "out/"}, Path: "/usr/bin"}
	if _, err := server.Run(t.Context()); sdk.KindOf(err) != sdk.KindNotExist {
		t.Errorf("rsync: %v", err)
	}
}
