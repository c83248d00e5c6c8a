package gluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gsyncd/gsyncd-host/plugins/gluster"
	"github.com/gsyncd/gsyncd-host/plugins/gluster/glusterlab"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// rig is a driver with a directory of its own for its mounts.
type rig struct {
	sdk.Driver
	run string
}

func newRig(t *testing.T) *rig {
	run := filepath.Join(t.TempDir(), "run")
	r := &rig{Driver: gluster.In(run, nil), run: run}
	t.Cleanup(func() { r.nothingLeft(t) })
	return r
}

// nothingLeft fails if a mount or its directory is there still.
func (r *rig) nothingLeft(t *testing.T) {
	t.Helper()
	if left := r.places(t); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if n := r.mounts(t); n != 0 {
		t.Errorf("%d mounts left behind", n)
	}
}

func (r *rig) places(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(r.run, "mount.*"))
	must(t, err)
	return list
}

func (r *rig) mounts(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	return strings.Count(string(b), " "+r.run+"/")
}

func request(a sdk.Address) sdk.OpenRequest { return sdk.OpenRequest{Address: a, MarkKey: "k"} }

func (r *rig) source(t *testing.T, vol *glusterlab.Volume) sdk.Source {
	t.Helper()
	s, err := patient{r.Driver}.OpenSource(t.Context(), request(addressOf(vol)))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func (r *rig) target(t *testing.T, vol *glusterlab.Volume, from sdk.UUID) sdk.Target {
	t.Helper()
	req := request(addressOf(vol))
	req.Volume = from
	g, err := patient{r.Driver}.OpenTarget(t.Context(), req)
	must(t, err)
	t.Cleanup(func() { g.Close() })
	return g
}

// patient is a driver that tries again to open what a mirror would try again: on a busy
// machine a mount may be up before the last brick answers.
type patient struct{ sdk.Driver }

func (p patient) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	return retry(func() (sdk.Source, error) { return p.Driver.OpenSource(ctx, req) })
}

func (p patient) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	return retry(func() (sdk.Target, error) { return p.Driver.OpenTarget(ctx, req) })
}

func retry[R any](open func() (R, error)) (side R, err error) {
	for deadline := time.Now().Add(glusterlab.Patience); ; <-time.After(100 * time.Millisecond) {
		if side, err = open(); sdk.KindOf(err) != sdk.KindTransient || time.Now().After(deadline) {
			return side, err
		}
	}
}

// fails opens both sides and wants one message.
func (r *rig) fails(t *testing.T, a sdk.Address, kind sdk.Kind, want string) {
	t.Helper()
	_, serr := r.OpenSource(t.Context(), request(a))
	_, terr := r.OpenTarget(t.Context(), request(a))
	for _, err := range []error{serr, terr} {
		if err == nil || sdk.KindOf(err) != kind || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %s error %v, want %s: %s", a, sdk.KindOf(err), err, kind, want)
		}
	}
	r.nothingLeft(t)
}

func TestMessages(t *testing.T) {
	l := glusterlab.New(t, glusterlab.Options{})
	vol := l.Volume(t, "pop", glusterlab.One)
	r := newRig(t)
	at := func(rest string) sdk.Address { return sdk.Address{Scheme: "gluster", Rest: rest} }
	t.Run("no such volume", func(t *testing.T) {
		r.fails(t, at(l.Server()+":nosuch"), sdk.KindNotExist, "there is no volume nosuch on "+l.Server())
	})
	t.Run("no such host", func(t *testing.T) {
		r.fails(t, at("nosuch.invalid:pop"), sdk.KindTransient, "the host nosuch.invalid is not known")
	})
	t.Run("not indexed", func(t *testing.T) {
		_, err := r.OpenSource(t.Context(), request(addressOf(vol)))
		if sdk.KindOf(err) != sdk.KindUnsupported || !strings.Contains(err.Error(), "gluster volume set pop geo-replication.indexing on") {
			t.Errorf("%v", err)
		}
	})
	t.Run("index cannot be enabled", func(t *testing.T) {
		req := request(addressOf(vol))
		req.Config = schema.Values{"index": "enable", "cli": []string{"false"}}
		_, err := r.OpenSource(t.Context(), req)
		if sdk.KindOf(err) != sdk.KindUnsupported || !strings.Contains(err.Error(), "run this on a machine of the volume") {
			t.Errorf("%v", err)
		}
	})
	t.Run("index enabled", func(t *testing.T) {
		req := request(addressOf(vol))
		req.Config = schema.Values{"index": "enable", "cli": []string{"gluster", "--glusterd-sock=" + filepath.Join(l.Dir(), "run", "glusterd.socket"), "--log-file=" + filepath.Join(l.Dir(), "log", "cli.log")}}
		s, err := r.OpenSource(t.Context(), req)
		must(t, err)
		must(t, s.Close())
	})
	t.Run("stopped", func(t *testing.T) {
		vol.Stop(t)
		r.fails(t, addressOf(vol), sdk.KindTransient, "gluster volume start pop")
		vol.Start(t)
		r.source(t, vol)
	})
	t.Run("glusterd down", func(t *testing.T) {
		l.StopGlusterd(t)
		r.fails(t, addressOf(vol), sdk.KindTransient, "glusterd does not answer on "+l.Server())
		l.StartGlusterd(t)
		r.source(t, vol)
	})
}

// TestKilledMounting has a glusterfs that is killed before it has mounted.
func TestKilledMounting(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "glusterfs"), []byte("#!/bin/sh\nkill -9 $$\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	newRig(t).fails(t, sdk.Address{Scheme: "gluster", Rest: "127.0.0.1:pop"}, sdk.KindTransient, "glusterfs was ended by a signal while it mounted: signal: killed")
}

func TestCheck(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		rest   string
		values schema.Values
		want   string
	}{
		{"localhost:pop", nil, ""},
		{"[::1]:pop", nil, ""},
		{"pop", nil, "host:volume"},
		{":pop", nil, "host:volume"},
		{"h:p/q", nil, "letters, digits"},
		{"-o:pop", nil, "host's name"},
		{"h:-o", nil, "volume's name"},
		{"h:pop", schema.Values{"jobs": int64(0)}, "jobs must be"},
		{"h:pop", schema.Values{"clock_skew": 0}, "clock_skew must be"},
		{"h:pop", schema.Values{"cli": []string{}}, "cli must name"},
	} {
		got := r.Check(t.Context(), sdk.OpenRequest{Address: sdk.Address{Scheme: "gluster", Rest: c.rest}, Config: c.values})
		if len(got) == 0 && c.want == "" {
			continue
		}
		if len(got) != 1 || c.want == "" || !strings.Contains(got[0].Summary, c.want) {
			t.Errorf("%s %v: %+v, want %q", c.rest, c.values, got, c.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	got := r.Check(t.Context(), request(sdk.Address{Scheme: "gluster", Rest: "h:pop"}))
	if len(got) != 1 || !strings.Contains(got[0].Detail, "glusterfs-client") {
		t.Errorf("no program: %+v", got)
	}
	_, err := r.OpenSource(t.Context(), request(sdk.Address{Scheme: "gluster", Rest: "h:pop"}))
	if err == nil || !strings.Contains(err.Error(), "glusterfs is not in the PATH") {
		t.Errorf("no program: %v", err)
	}
}

// testKilledPlugin kills the plugin, alone and with its glusterfs, while
// somebody's work is in the tree.
func testKilledPlugin(t *testing.T, p *pool) {
	vol := p.lend(t).Volume
	for _, both := range []bool{false, true} {
		r := newRig(t)
		proc, d := launch(t, r.run)
		s, err := d.OpenSource(t.Context(), request(addressOf(vol)))
		must(t, err)
		inside := exec.Command("sleep", "1000")
		inside.Dir = s.Info().Endpoint.Path
		must(t, inside.Start())
		defer inside.Wait()
		defer inside.Process.Kill()
		if both {
			for _, pid := range glusterfsIn(t, r.run) {
				must(t, syscall.Kill(pid, syscall.SIGKILL))
			}
		}
		proc.Kill()
		if both && r.mounts(t) != 2 {
			t.Errorf("%d mounts", r.mounts(t))
		}
		again := r.source(t, vol)
		if n := r.mounts(t); n != 2 {
			t.Errorf("%d mounts", n)
		}
		must(t, again.Close())
		glusterlab.Await(t, "glusterfs ends", func() error {
			if pids := glusterfsIn(t, r.run); len(pids) > 0 {
				return os.ErrExist
			}
			return nil
		})
	}
}

// glusterfsIn lists the processes with dir in their command line.
func glusterfsIn(t *testing.T, dir string) []int {
	t.Helper()
	list, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	var out []int
	for _, path := range list {
		b, err := os.ReadFile(path)
		if err == nil && strings.HasPrefix(string(b), "glusterfs\x00") && strings.Contains(string(b), dir+"/") {
			var pid int
			for _, c := range strings.Split(path, "/")[2] {
				pid = pid*10 + int(c-'0')
			}
			out = append(out, pid)
		}
	}
	return out
}

func testBusy(t *testing.T, p *pool) {
	vol := p.lend(t).Volume
	here, there := newRig(t), newRig(t) // as on two machines
	g := here.target(t, vol, sdk.UUID{})
	for _, c := range []struct {
		r    *rig
		want string
	}{{here, "(process "}, {there, "from another machine"}} {
		_, err := c.r.OpenTarget(t.Context(), request(addressOf(vol)))
		if sdk.KindOf(err) != sdk.KindBusy || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	must(t, g.Close())
	there.target(t, vol, sdk.UUID{})
}
