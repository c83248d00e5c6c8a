package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// inNamespace marks, in the environment, the process that has its own mounts.
const inNamespace = "GSYNCD_BENCH_NAMESPACE"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	b, names, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if os.Getenv(inNamespace) == "" {
		// Returns only if it fails.
		fmt.Fprintln(stderr, "bench:", b.enterNamespace())
		return 1
	}
	rows, err := b.run(ctx, names)
	printTable(stdout, rows)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// bench holds what all cases share.
type bench struct {
	bin    string // the program measured
	cache  string // downloaded sources, kept
	work   string // images and mount points, removed
	goroot string
	// programs are those compared, rsync first.
	programs [2]*program
	// fs is what images are made of; filesystems are those of the cases that go
	// through several.
	fs          string
	filesystems []string
	detector    string // what our program is to notice changes by
	rounds      int
	size        sizes
	idle        time.Duration // how long the idle run is watched
	log         io.Writer
}

func parse(args []string, stderr io.Writer) (*bench, []string, error) {
	b := &bench{log: stderr, size: full(), idle: time.Minute, fs: defaultFilesystem}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	known := caseNames()
	fs.StringVar(&b.bin, "bin", "bin/gsyncd-host", "the gsyncd-host to measure")
	fs.StringVar(&b.cache, "cache", "/var/cache/gsyncd-bench", "where downloaded sources are kept")
	work := fs.String("work", os.TempDir(), "where images are made: a directory with 30 GB free")
	fs.IntVar(&b.rounds, "rounds", 3, "rounds of each case")
	list := fs.String("case", strings.Join(known, ","), "cases to run")
	filesystems := fs.String("fs", "ext4,xfs,btrfs", "filesystems of the cases live and writers; the others are on ext4")
	fs.StringVar(&b.detector, "detector", detectors[0], "what gsyncd-host notices changes by when it goes on mirroring: "+strings.Join(detectors, ", "))
	quick := fs.Bool("quick", false, "small trees, to try the program: the ratios mean little")
	if err := fs.Parse(args); err != nil {
		return nil, nil, err
	}
	if *quick {
		b.size, b.idle = small(), 5*time.Second
	}
	names := strings.Split(*list, ",")
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, nil, fmt.Errorf("no case %q, only %s", n, strings.Join(known, ", "))
		}
	}
	if b.rounds < 1 || fs.NArg() > 0 {
		return nil, nil, errors.New("usage: bench [-quick] [-case NAME,...] [-fs NAME,...] [-detector NAME] [-rounds N]")
	}
	if !slices.Contains(detectors, b.detector) {
		return nil, nil, fmt.Errorf("-detector: no detector %q, only %s", b.detector, strings.Join(detectors, ", "))
	}
	var err error
	if b.filesystems, err = parseFilesystems(*filesystems); err != nil {
		return nil, nil, err
	}
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return nil, nil, err
	}
	if _, err = os.Stat(b.bin); err != nil {
		return nil, nil, fmt.Errorf("find the program: %w", err)
	}
	b.programs = [2]*program{rsync(), b.ours()}
	b.work = filepath.Join(*work, fmt.Sprintf("gsyncd-bench.%d", os.Getpid()))
	return b, names, nil
}

// enterNamespace starts this program again with mounts of its own.
func (b *bench) enterNamespace() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can mount the images")
	}
	tools := []string{"rsync", "find", "mount", "umount", "unshare", "sync", "tar", "xz", "ssh", "ssh-keygen", filesystems[b.fs].mkfs[0]}
	for _, name := range b.filesystems {
		tools = append(tools, filesystems[name].mkfs[0])
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: run `go -C tools tool task deps` first", err)
		}
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := append([]string{"unshare", "--mount", "--propagation", "private", self}, os.Args[1:]...)
	return fmt.Errorf("start again: %w", syscall.Exec(unshare, argv, append(os.Environ(), inNamespace+"=1")))
}

// run takes the cases in turn. One that fails does not stop the others; the
// error then is all of theirs.
func (b *bench) run(ctx context.Context, names []string) (rows []row, err error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find the Go tree: %w", err)
	}
	b.goroot = strings.TrimSpace(string(goroot))
	if err := os.MkdirAll(b.work, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.work)
	var failed error
	for _, c := range b.cases() {
		if !slices.Contains(names, c.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(b.log, "== %s\n", c.name)
		got, err := c.run(ctx)
		rows = append(rows, got...)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("case %s: %w", c.name, err))
		}
	}
	if err := ctx.Err(); err != nil {
		failed = errors.Join(failed, errors.New("stopped by a signal"))
	}
	return rows, failed
}
