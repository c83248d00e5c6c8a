package rsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// maxFiles is how many files one rsync is given: each is a descriptor, and a
// long list makes rsync slow.
const maxFiles = 256

// tries is how often files are sent whose connection is lost.
const tries = 3

// Run makes the files of a job, batch by batch. The source must be local.
func (m *Method) Run(ctx context.Context, job sdk.Job, files []sdk.File, result func(sdk.FileResult), progress func(int64)) error {
	cfg, err := settings().WithDefaults(job.Config)
	if err != nil {
		return &sdk.Error{Kind: sdk.KindInput, Op: "run rsync", Msg: err.Error()}
	}
	if d := checkOptions(cfg.Strings(attrOptions)); len(d) > 0 {
		return &sdk.Error{Kind: sdk.KindInput, Op: "run rsync", Msg: d[0].Summary}
	}
	if err := validate(job, files); err != nil {
		return err
	}
	at, err := openPlace(job)
	if err != nil {
		return err
	}
	defer at.close()
	if progress == nil {
		progress = func(int64) {}
	}
	var done int64
	for _, g := range groups(files, at, cfg) {
		for n := 1; len(g.files) > 0; n++ {
			b := &batch{log: m.log, at: at, cfg: cfg, block: g.block, again: n < tries, result: result, progress: func(n int64) { progress(done + n) }}
			if err := b.run(ctx, g.files); err != nil {
				return err
			}
			done += b.shown
			g.files = b.left
		}
	}
	return nil
}

func validate(job sdk.Job, files []sdk.File) error {
	bad := func(err error) error {
		return &sdk.Error{Kind: sdk.KindInput, Op: "run rsync", Msg: err.Error()}
	}
	if err := job.Dir.Validate(); err != nil {
		return bad(err)
	}
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if _, err := strconv.ParseUint(f.Name, 10, 63); err != nil || seen[f.Name] {
			return bad(fmt.Errorf("file name %q is not a number of its own", f.Name))
		}
		seen[f.Name] = true
		if err := f.Path.Validate(); err != nil {
			return bad(err)
		}
	}
	return nil
}

func arguments(at *place, cfg schema.Values, block int64, farm string) []string {
	reach, destination := at.arguments()
	args := []string{
		"--files-from=-", "--from0", "--copy-links",
		// The host has decided already. rsync's own check takes two files of one
		// size and second for equal.
		"--ignore-times",
		"--no-human-readable", "--outbuf=L", "--info=progress2", "--out-format==%n %b %c",
	}
	args = append(args, reach...)
	if !cfg.Bool(attrWhole) {
		args = append(args, "--no-whole-file")
	} else {
		args = append(args, "--whole-file")
	}
	args = append(args, "--sparse")
	if cfg.Bool(attrCompress) {
		args = append(args, "--compress")
	}
	if rate := cfg.Int(attrRate); rate > 0 {
		args = append(args, "--bwlimit="+strconv.FormatInt(max(1, rate>>10), 10)) // in KiB
	}
	if block > 0 {
		args = append(args, "--block-size="+strconv.FormatInt(block, 10))
	}
	args = append(args, cfg.Strings(attrOptions)...)
	return append(args, "--", farm+"/", destination)
}

func nulNames(sources []*source) []byte {
	var b bytes.Buffer
	for _, s := range sources {
		b.WriteString(s.file.Name)
		b.WriteByte(0)
	}
	return b.Bytes()
}

func stalledError(p sdk.Path, timeout time.Duration) *sdk.Error {
	return &sdk.Error{Kind: sdk.KindTransient, Op: "rsync", Path: p, Msg: fmt.Sprintf("moved no byte for %s", timeout)}
}

// cancelled keeps the context's error recognisable.
func cancelled(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
