package mover

import (
	"context"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// pump hands what a source reads to a target's writer. It is used by one
// goroutine at a time.
type pump struct {
	ctx     context.Context
	mover   *Mover
	w       sdk.Writer
	files   []item
	entries []sdk.Entry // as they have to be
	near    bool        // the entries are what BeginFile is told
	states  []pumped
	begun   int
	open    int   // the file that data belongs to
	err     error // the writer's
}

var _ sdk.ReadSink = (*pump)(nil)

// pumped is how far one file came.
type pumped struct {
	begun   bool // with the writer, as its file number slot
	ended   bool // the source came to its end
	torn    bool // it is not, or was not to the end, what it has to be
	slot    int
	moved   int64
	err     *sdk.Error // the source's
	start   time.Time
	seconds float64
}

func (p *pump) at(i int) (*pumped, error) {
	if i < 0 || i >= len(p.files) {
		return nil, fmt.Errorf("the source tells of file %d of %d", i, len(p.files))
	}
	return &p.states[i], nil
}

// BeginFile opens a file at the writer, unless it is not as it was any more.
func (p *pump) BeginFile(i int, before *sdk.Entry) error {
	st, err := p.at(i)
	if err != nil {
		return err
	}
	if st.begun || st.ended {
		return fmt.Errorf("the source sends file %d twice", i)
	}
	p.open, st.start = i, time.Now()
	e := &p.entries[i]
	if p.near {
		*e = *before
	}
	if !sameVersion(before, e) {
		st.torn = true
		return nil
	}
	st.begun, st.slot = true, p.begun
	p.begun++
	return p.write(p.w.Begin(sdk.NewFile{Path: p.files[i].Staged, Size: e.Size, Meta: sdk.MetaOf(e, sdk.MetaAll)}))
}

// Data passes on a part of the open file.
func (p *pump) Data(off int64, b []byte) error {
	st, err := p.at(p.open)
	if err != nil {
		return err
	}
	if st.torn || !st.begun {
		return nil
	}
	if off < 0 || off+int64(len(b)) > p.entries[p.open].Size {
		st.torn = true
		return nil
	}
	for len(b) > 0 {
		n := p.mover.bucket.piece(len(b))
		if err := p.mover.bucket.take(p.ctx, n); err != nil {
			return err
		}
		if err := p.write(p.w.Data(off, b[:n])); err != nil {
			return err
		}
		st.moved += int64(n)
		p.mover.cfg.Progress(int64(n))
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// EndFile closes the file at the writer.
func (p *pump) EndFile(i int, after *sdk.Entry, ferr *sdk.Error) error {
	st, err := p.at(i)
	if err != nil {
		return err
	}
	st.ended, st.err = true, ferr
	st.seconds = time.Since(st.start).Seconds()
	if ferr == nil && (after == nil || !sameVersion(after, &p.entries[i])) {
		st.torn = true
	}
	p.open = -1
	if !st.begun {
		if ferr == nil {
			st.torn = true
		}
		return nil
	}
	return p.write(p.w.End(ferr == nil && !st.torn))
}

// write keeps the writer's error apart from the source's own.
func (p *pump) write(err error) error {
	if err != nil && p.err == nil {
		p.err = err
	}
	return err
}
