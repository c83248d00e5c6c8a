package rsync

import (
	"errors"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// place is where a job reads and writes, held open from the roots down.
type place struct {
	source *localfs.Root
	target *localfs.Root
	basis  *localfs.Dir
	out    *localfs.Dir
}

func openPlace(job sdk.Job) (*place, error) {
	for _, e := range []sdk.Endpoint{job.Source, job.Target} {
		if !e.Local() {
			return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "run rsync", Msg: "a side is not a directory of this machine"}
		}
	}
	p := &place{}
	err := p.open(job)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *place) open(job sdk.Job) (err error) {
	if p.source, err = localfs.Open(job.Source.Path); err != nil {
		return err
	}
	if p.target, err = localfs.Open(job.Target.Path); err != nil {
		return err
	}
	if p.basis, err = p.target.OpenDir(job.Dir.Join(sdk.JobBasis)); err != nil {
		return err
	}
	p.out, err = p.target.OpenDir(job.Dir.Join(sdk.JobOut))
	return err
}

// finished looks for a file under its final name in the job's output: rsync
// writes under another name and renames.
func (p *place) finished(name string) (sdk.Entry, bool) {
	e, err := p.out.Lstat(name)
	return e, err == nil && e.Type == sdk.TypeRegular
}

// written adds up the sizes of all that lies in the output, unfinished files too.
func (p *place) written() int64 {
	names, err := p.out.ReadNames()
	if err != nil {
		return 0
	}
	var sum int64
	for i := range names.Len() {
		if e, err := p.out.Lstat(names.At(i)); err == nil {
			sum += e.Size
		}
	}
	return sum
}

func (p *place) close() error {
	errs := []error{p.out.Close(), p.basis.Close()}
	for _, r := range []*localfs.Root{p.source, p.target} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}
