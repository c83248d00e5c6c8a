package rsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// batch is what one rsync does. All of it belongs to one goroutine but for the
// complaints.
type batch struct {
	log      *slog.Logger
	at       *place
	cfg      schema.Values
	block    int64 // size of the blocks in which files are compared; 0: rsync's choice
	result   func(sdk.FileResult)
	progress func(int64)

	// again says that files may be left when the connection is lost.
	again bool
	left  []sdk.File

	sources []*source
	byName  map[string]*source
	waiting []*source // sent, not yet seen in the output
	heard   complaints
	shown   int64 // the last figure given to progress
}

func (b *batch) run(ctx context.Context, files []sdk.File) (err error) {
	defer func() {
		for _, s := range b.sources {
			err = errors.Join(err, s.open.Close())
		}
	}()
	b.byName = make(map[string]*source, len(files))
	for _, f := range files {
		s, err := openSource(b.at.source, f)
		if err != nil {
			b.result(sdk.FileResult{Name: f.Name, Err: sdk.NewError("open", f.Path, err)})
			continue
		}
		b.sources = append(b.sources, s)
		b.byName[f.Name] = s
	}
	if len(b.sources) == 0 {
		return ctx.Err()
	}
	farm, err := makeFarm(b.sources)
	if err != nil {
		return sdk.NewError("run rsync", "", err)
	}
	defer func() { err = errors.Join(err, farm.remove()) }()

	timeout := b.cfg.Duration(attrTimeout)
	c := command{
		program: b.cfg.String(attrProgram),
		args:    arguments(b.at, b.cfg, b.block, farm.dir),
		stdin:   nulNames(b.sources),
		timeout: timeout,
		extra:   b.at.written,
		line:    b.line,
		tick:    b.collect,
		stderr:  b.complaint,
	}
	code, err := c.run(ctx)
	switch {
	case err == nil && b.at.far() && b.heard.refuses(code):
		return b.heard.refusal(code)
	case err == nil && b.at.far() && b.again && b.heard.broke(code):
		for _, s := range b.sources {
			b.left = append(b.left, s.file)
		}
		return nil
	case err == nil:
		b.believe(code)
		b.finish(func(s *source) *sdk.Error { return b.heard.about(s.file.Name, s.file.Path, code) })
		return nil
	case errors.Is(err, errStalled):
		b.finish(func(s *source) *sdk.Error { return stalledError(s.file.Path, timeout) })
		return nil
	case cancelled(ctx, err):
		return fmt.Errorf("run rsync: %w", err)
	}
	return sdk.NewError("run rsync", "", err)
}

func (b *batch) complaint(line []byte) {
	b.log.Debug("rsync complains", slog.String("line", string(line)))
	b.heard.add(line)
}

// line takes "=7 35420 49569" (a file, the bytes sent and received for it) or
// "  7064  0%  0.00kB/s …", the progress of the whole run.
func (b *batch) line(line []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("=")); ok {
		f := bytes.Fields(rest)
		if len(f) != 3 {
			return
		}
		s := b.byName[string(f[0])]
		if s == nil || s.sent {
			return
		}
		s.sent = true
		for _, n := range f[1:] {
			if v, err := strconv.ParseInt(string(n), 10, 64); err == nil {
				s.moved += v
			}
		}
		b.waiting = append(b.waiting, s)
		b.collect()
		return
	}
	f := bytes.Fields(line)
	if len(f) == 0 {
		return
	}
	if n, err := strconv.ParseInt(string(f[0]), 10, 64); err == nil && n > b.shown {
		b.shown = n
		b.progress(n)
	}
}

// collect hands out the files that were sent and now are in the output: the end
// that reports a file as sent is not the one that finishes it.
func (b *batch) collect() {
	b.waiting = slices.DeleteFunc(b.waiting, func(s *source) bool {
		e, ok := b.at.finished(s.file.Name)
		if ok {
			b.tell(s, b.verdict(s, e))
		}
		return ok
	})
}

// believe hands out the files that a far rsync has made as far as can be seen
// from here, when both ends came to their ends.
func (b *batch) believe(code int) {
	if !b.at.far() || code != codeDone && code != codePartial && code != codeVanished {
		return
	}
	for _, s := range b.sources {
		if s.sent && !b.heard.names(s.file.Name) {
			b.tell(s, s.unchanged(b.at.source))
		}
	}
}

// finish hands out the rest once rsync has ended; missing says why a file is
// not there.
func (b *batch) finish(missing func(*source) *sdk.Error) {
	for _, s := range b.sources {
		if s.told {
			continue
		}
		if e, ok := b.at.finished(s.file.Name); ok {
			b.tell(s, b.verdict(s, e))
		} else if err := s.unchanged(b.at.source); err != nil {
			b.tell(s, err)
		} else {
			b.tell(s, missing(s))
		}
	}
}

func (b *batch) verdict(s *source, out sdk.Entry) *sdk.Error {
	if err := s.unchanged(b.at.source); err != nil {
		return err
	}
	if out.Size != s.before.Size {
		return &sdk.Error{Kind: sdk.KindTransient, Op: "rsync", Path: s.file.Path, Msg: fmt.Sprintf("made %d bytes of %d", out.Size, s.before.Size)}
	}
	return nil
}

func (b *batch) tell(s *source, err *sdk.Error) {
	s.told = true
	b.result(sdk.FileResult{Name: s.file.Name, Err: err, Moved: s.moved})
}
