package marker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	indexName = "index"
	tempName  = "index.new"
	// flushAt is the size at which a batch is written without waiting for the
	// end of the pass. It is not yet durable then, nor need it be.
	flushAt = 256 << 10
	// smallIndex is what a journal may grow by before it is worth rewriting.
	smallIndex = 64 << 10
)

// journal is the index on disk: a snapshot, and batches appended to it. Memory
// holds all of it, so after a write that went wrong the file is not repaired but
// written anew.
type journal struct {
	dir  string
	file *os.File
	size int64
	// stale says that the file does not exist, or cannot be relied on. The
	// methods that write leave it alone: setting it is their caller's.
	stale bool
	batch int      // flushAt, but for tests
	buf   []byte   // the open batch, with room for its head
	full  [][]byte // batches before it that wait to be written
	// urgent says that they hold more than what may as well be found out again.
	urgent bool
}

// openJournal opens the directory's index and loads it. Without an index, or
// with a damaged one, the returned state is nil and why tells the reason.
func openJournal(dir string) (j *journal, state *loaded, why error, err error) {
	j = &journal{dir: dir, stale: true, batch: flushAt}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open the index: %w", err)
	}
	if !info.IsDir() {
		return nil, nil, nil, fmt.Errorf("open the index: %s is not a directory", dir)
	}
	if err := os.Remove(filepath.Join(dir, tempName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, fmt.Errorf("remove an unfinished index: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, indexName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, fs.ErrNotExist, nil
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open the index: %w", err)
	}
	state, err = load(f)
	if errors.Is(err, errDamaged) {
		return j, nil, err, f.Close()
	}
	if err == nil {
		err = f.Truncate(state.size)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("load the index: %w", err), f.Close())
	}
	// An older one is not appended to.
	older := state.head.version != fileVersion
	j.file, j.size, j.stale, j.urgent = f, state.size, older, older
	return j, state, nil, nil
}

// put takes records into the open batch: add appends them. Records that are not
// urgent go out with the next that are.
func (j *journal) put(urgent bool, add func([]byte) []byte) {
	j.urgent = j.urgent || urgent
	if j.stale {
		return // all of it is going to be written
	}
	if len(j.buf) == 0 {
		j.buf = append(j.buf, make([]byte, batchHead)...)
	}
	j.buf = add(j.buf)
	if len(j.buf) >= j.batch {
		j.full, j.buf = append(j.full, j.buf), nil
	}
}

// take hands over the batches that are not written yet, the open one among them.
func (j *journal) take() [][]byte {
	out := j.full
	if len(j.buf) > 0 {
		out = append(out, j.buf)
	}
	j.buf, j.full, j.urgent = nil, nil, false
	return out
}

// renew has the next commit write the file anew, as after a write that went wrong.
func (j *journal) renew() {
	j.take()
	j.stale, j.urgent = true, true
}

// write appends batches that take returned.
func (j *journal) write(batches [][]byte) error {
	for _, b := range batches {
		sealBatch(b)
		if _, err := j.file.WriteAt(b, j.size); err != nil {
			return fmt.Errorf("write the index: %w", err)
		}
		j.size += int64(len(b))
	}
	return nil
}

// sync makes durable what was written. After an error the file is stale: the
// kernel takes pages that it could not write for clean.
func (j *journal) sync() error {
	if err := unix.Fdatasync(int(j.file.Fd())); err != nil {
		return fmt.Errorf("sync the index: %w", err)
	}
	return nil
}

// rewrite replaces the file by a snapshot: batches of records that next returns
// until it returns none. The file is durable under its name afterwards, or
// still the old one.
func (j *journal) rewrite(head header, next func([]byte) []byte) (err error) {
	temp := filepath.Join(j.dir, tempName)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write a new index: %w", err)
	}
	named := false
	defer func() {
		if err != nil && !named {
			err = errors.Join(fmt.Errorf("write a new index: %w", err), f.Close(), os.Remove(temp))
		}
	}()
	first := head.encode()
	size := int64(len(first))
	batch := make([]byte, batchHead, flushAt+flushAt/2)
	for {
		batch = next(batch[:batchHead])
		if len(batch) == batchHead {
			break
		}
		sealBatch(batch)
		if _, err := f.WriteAt(batch, size); err != nil {
			return err
		}
		size += int64(len(batch))
	}
	head.snap = size
	if _, err := f.WriteAt(head.encode(), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(j.dir, indexName)); err != nil {
		return err
	}
	named = true
	if j.file != nil {
		j.file.Close() // nothing in it is needed any more
	}
	j.file, j.size = f, size
	if err := syncDir(j.dir); err != nil {
		return fmt.Errorf("make the new index's name durable: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
