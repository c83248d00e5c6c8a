package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// program is one of the two that are compared.
type program struct {
	name string
	// once is the command line that makes secondary equal to primary.
	once func(primary string, at *secondary) []string
	// daemon is the command line that goes on making it equal; nil if there is
	// none. It may leave a file of settings beside the secondary's tree.
	daemon func(primary string, at *secondary) ([]string, error)
	// ready is what the daemon says when the trees are equal for the first time,
	// and stopped its exit code after a SIGTERM.
	ready   string
	stopped int
	// exact says that times agree to the nanosecond afterwards. rsync takes
	// times of one second for equal.
	exact bool
}

// secondary is where a program mirrors to. The state directory is on the same
// filesystem, so that what is written there counts.
type secondary struct {
	*image
	prog *program
}

func (s *secondary) tree() string  { return s.path("tree") }
func (s *secondary) state() string { return s.path("state") }

func rsync() *program {
	return &program{name: "rsync", once: func(primary string, at *secondary) []string {
		return []string{"rsync", "-aHAX", "--delete", primary + "/", at.tree() + "/"}
	}}
}

func (b *bench) ours() *program {
	return &program{name: "gsyncd-host", exact: true, once: func(primary string, at *secondary) []string {
		return []string{b.bin, "run", "--once", "--state-dir", at.state(), primary, at.tree()}
	}, ready: ourReady, daemon: func(primary string, at *secondary) ([]string, error) {
		return b.ourDaemon(primary, at, at.tree())
	}}
}

const ourReady = `"msg":"in sync"`

// ourDaemon is the command line of a mirror with the detector that was asked for.
// It gives up at the first failure, which would only spoil the figures.
func (b *bench) ourDaemon(primary string, at *secondary, to string) ([]string, error) {
	settings := at.path("mirror.hcl")
	text := fmt.Sprintf("mirror \"bench\" {\n  primary   = %q\n  secondary = %q\n  schedule {\n    detector = %q\n  }\n  retry {\n    attempts = 1\n  }\n}\n",
		primary, to, b.detector)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []string{b.bin, "run", "-c", settings, "--state-dir", at.state(), "--json"}, nil
}

// lsyncd is what others use for this. It gathers changes for a second and hands
// them to rsync; less than that it cannot count.
func lsyncd() *program {
	return &program{name: "lsyncd", ready: " finished.", stopped: 128 + int(syscall.SIGTERM), daemon: func(primary string, at *secondary) ([]string, error) {
		settings := at.path("lsyncd.lua")
		text := fmt.Sprintf("settings { nodaemon = true, insist = false }\nsync { default.rsync, source = %q, target = %q, delay = 1,\n"+
			"  rsync = { archive = true, hard_links = true, acls = true, xattrs = true } }\n", primary, at.tree())
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return []string{"lsyncd", settings}, nil
	}}
}

// newSecondary makes an empty filesystem for a program.
func (b *bench) newSecondary(ctx context.Context, p *program) (*secondary, error) {
	im, err := b.newImage(ctx, "secondary-"+p.name)
	if err != nil {
		return nil, err
	}
	at := &secondary{image: im, prog: p}
	for _, dir := range []string{at.tree(), at.state()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// usage is what a run took.
type usage struct {
	seconds float64
	written int64   // bytes to the secondary's device
	memory  int64   // peak bytes of all processes, if sampled
	share   float64 // of a core
}

// sync runs the program once, until all is on the disk.
func (at *secondary) sync(ctx context.Context, primary string, sampled bool) (usage, error) {
	syscall.Sync()
	before, err := at.written()
	if err != nil {
		return usage{}, err
	}
	var out bytes.Buffer
	start := time.Now()
	s, err := startSession(ctx, at.prog.once(primary, at), &out)
	if err != nil {
		return usage{}, err
	}
	var memory int64
	if sampled {
		memory = s.sampleUntilExit()
	}
	if err := s.wait(); err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", at.prog.name, err, tail(out.Bytes()))
	}
	if err := command(ctx, "sync", "-f", at.tree()); err != nil {
		return usage{}, err
	}
	u := usage{seconds: time.Since(start).Seconds(), memory: memory}
	after, err := at.written()
	u.written = after - before
	return u, err
}

// equal compares the trees with rsync as the judge, contents included if asked.
// Our marks on directories are no difference.
func (at *secondary) equal(ctx context.Context, primary string, contents bool) error {
	args := []string{"-aHAXni", "--delete", "--filter=-x trusted.gsyncd-host.*", "--filter=-x user.gsyncd-host.*"}
	if contents {
		args = append(args, "--checksum")
	}
	if at.prog.exact {
		args = append(args, "--modify-window=-1")
	}
	out, err := exec.CommandContext(ctx, "rsync", append(args, primary+"/", at.tree()+"/")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compare: %w: %s", err, tail(out))
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return nil
	}
	lines := strings.SplitAfterN(string(out), "\n", 11)
	return fmt.Errorf("%s left the trees unequal:\n%s", at.prog.name, strings.Join(lines[:min(10, len(lines))], ""))
}
