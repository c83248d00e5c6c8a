package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// The events of a stream of files.
const (
	eventBegin = 1 + iota
	eventData
	eventEnd
)

// AppendReadBegin appends the beginning of file i that is read. What cannot be
// described is not read.
func AppendReadBegin(b []byte, i int, before *sdk.Entry) ([]byte, error) {
	if err := Validate(before); err != nil {
		return b, err
	}
	return AppendEntryOrFault(binary.LittleEndian.AppendUint32(append(b, eventBegin), uint32(i)), before)
}

// AppendData appends a part of the open file's data, of a stream in either
// direction.
func AppendData(b []byte, off int64, p []byte) []byte {
	return AppendBytes(binary.LittleEndian.AppendUint64(append(b, eventData), uint64(off)), p)
}

// The flags of a file's end.
const (
	endHasEntry = 1 << iota
	endHasError
)

// AppendReadEnd appends the end of file i that was read.
func AppendReadEnd(b []byte, i int, after *sdk.Entry, fault *sdk.Error) ([]byte, error) {
	b = binary.LittleEndian.AppendUint32(append(b, eventEnd), uint32(i))
	at := len(b)
	b = append(b, 0)
	if after != nil {
		b[at] |= endHasEntry
		var err error
		if b, err = AppendEntryOrFault(b, after); err != nil {
			return b, err
		}
	}
	if fault != nil {
		b[at] |= endHasError
		b = appendFault(b, fault)
	}
	return b, nil
}

// ReadDecoder unpacks and checks what a source reads and hands it to a sink. It is
// for one goroutine. An error is final.
type ReadDecoder struct {
	sink  sdk.ReadSink
	base  int
	files int
	next  int // the file that is open or comes next
	order FileOrder
}

// NewReadDecoder returns a decoder for so many files. The sink sees file i as
// base+i.
func NewReadDecoder(files, base int, sink sdk.ReadSink) *ReadDecoder {
	return &ReadDecoder{sink: sink, base: base, files: files}
}

// At tells the file that is open or comes next, and whether it is open.
func (d *ReadDecoder) At() (next int, open bool) { return d.next, d.order.Open }

// Feed decodes one message. A *SinkError is what the sink returned, any other
// error says that the message is malformed.
func (d *ReadDecoder) Feed(events []byte) error {
	c := Cursor{b: events}
	for c.More() {
		if err := d.event(&c); err != nil {
			return err
		}
	}
	if c.bad {
		return errShort
	}
	return nil
}

// Finish reports a stream that ended before all files did.
func (d *ReadDecoder) Finish() error {
	if d.order.Open || d.next != d.files {
		return fmt.Errorf("stream ends at file %d of %d", d.next, d.files)
	}
	return nil
}

func (d *ReadDecoder) event(c *Cursor) error {
	switch kind := c.U8(); kind {
	case eventBegin:
		var before sdk.Entry
		if err := d.begin(c, &before); err != nil {
			return err
		}
		return sinkError(d.sink.BeginFile(d.base+d.next, &before))
	case eventData:
		off, p := int64(c.U64()), c.Bytes()
		if c.bad {
			return errShort
		}
		if err := d.order.Data(off, len(p)); err != nil {
			return err
		}
		return sinkError(d.sink.Data(off, p))
	case eventEnd:
		after, fault, err := d.end(c)
		if err != nil {
			return err
		}
		d.next++
		return sinkError(d.sink.EndFile(d.base+d.next-1, after, fault))
	default:
		return fmt.Errorf("event %d is not known", kind)
	}
}

func (d *ReadDecoder) place(i uint32) error {
	if d.next >= d.files || uint64(i) != uint64(d.next) {
		return fmt.Errorf("file %d of %d where %d belongs", i, d.files, d.next)
	}
	return nil
}

func (d *ReadDecoder) begin(c *Cursor, before *sdk.Entry) error {
	if err := d.place(c.U32()); err != nil {
		return err
	}
	if err := d.order.Begin(); err != nil {
		return err
	}
	if err := c.entryRow(before); err != nil {
		return err
	}
	if before.Type != sdk.TypeRegular {
		return fmt.Errorf("%q is a %s", before.Name, before.Type)
	}
	return nil
}

func (d *ReadDecoder) end(c *Cursor) (after *sdk.Entry, fault *sdk.Error, err error) {
	i, flags := c.U32(), c.U8()
	if c.bad {
		return nil, nil, errShort
	}
	if err := d.place(i); err != nil {
		return nil, nil, err
	}
	if flags&^(endHasEntry|endHasError) != 0 || flags&endHasError == 0 && (!d.order.Open || flags&endHasEntry == 0) {
		return nil, nil, fmt.Errorf("file %d ends without a beginning, a description or an error", i)
	}
	d.order.Open = false
	if flags&endHasEntry != 0 {
		after = &sdk.Entry{}
		if err := c.entryRow(after); err != nil {
			return nil, nil, err
		}
	}
	if flags&endHasError != 0 {
		if fault = c.Error(); c.bad {
			return nil, nil, errShort
		}
	}
	return after, fault, nil
}

// AppendWriteBegin appends the beginning of a file that is to be made.
func AppendWriteBegin(b []byte, f *sdk.NewFile) ([]byte, error) {
	b = AppendStr(append(b, eventBegin), string(f.Path))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Size))
	return appendMeta(b, &f.Meta)
}

// AppendWriteEnd appends the end of a file that is to be made.
func AppendWriteEnd(b []byte, keep bool) []byte {
	if keep {
		return append(b, eventEnd, 1)
	}
	return append(b, eventEnd, 0)
}

// WriteDecoder unpacks and checks the events of files to be made and hands them to
// a writer. It is for one goroutine. An error is final.
type WriteDecoder struct {
	w     sdk.Writer
	open  bool
	begun int
}

// NewWriteDecoder returns a decoder for a writer.
func NewWriteDecoder(w sdk.Writer) *WriteDecoder { return &WriteDecoder{w: w} }

// Feed decodes one message.
func (d *WriteDecoder) Feed(events []byte) error {
	c := Cursor{b: events}
	for c.More() {
		if err := d.event(&c); err != nil {
			return err
		}
	}
	if c.bad {
		return badInput(errShort)
	}
	return nil
}

func badInput(err error) error {
	return &sdk.Error{Kind: sdk.KindInput, Op: "write", Msg: err.Error()}
}

func (d *WriteDecoder) event(c *Cursor) error {
	switch kind := c.U8(); kind {
	case eventBegin:
		f := sdk.NewFile{Path: sdk.Path(c.Str()), Size: int64(c.U64())}
		var err error
		if f.Meta, err = c.meta(); err == nil {
			err = CheckNewFile(&f, d.open)
		}
		if err != nil {
			return badInput(err)
		}
		d.open = true
		d.begun++
		return d.w.Begin(f)
	case eventData:
		off, p := int64(c.U64()), c.Bytes()
		if c.bad {
			return badInput(errShort)
		}
		if err := CheckData(off, len(p), d.open); err != nil {
			return badInput(err)
		}
		return d.w.Data(off, p)
	case eventEnd:
		keep := c.U8()
		if c.bad || keep > 1 || !d.open {
			return badInput(errors.New("no file to end"))
		}
		d.open = false
		return d.w.End(keep == 1)
	default:
		return badInput(fmt.Errorf("event %d is not known", kind))
	}
}

// Finish ends the stream and returns a result for each file.
func (d *WriteDecoder) Finish() ([]sdk.OpResult, error) {
	if d.open {
		d.Abandon()
		return nil, badInput(errors.New("the stream ends inside a file"))
	}
	results, err := d.w.Close()
	if err == nil && len(results) != d.begun {
		err = fmt.Errorf("%d results for %d files", len(results), d.begun)
	}
	return results, err
}

// Abandon closes the writer after an error; what that leads to is of no use.
func (d *WriteDecoder) Abandon() {
	if d.open {
		_ = d.w.End(false)
		d.open = false
	}
	_, _ = d.w.Close()
}
