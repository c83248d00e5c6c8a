package rsync

import (
	"errors"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/localfs"
)

// place is where a job reads and writes, held open from the roots down. Of a
// target behind a shell nothing is open: what is made there is the host's to
// look at.
type place struct {
	source *localfs.Root
	shell  []string // that reaches the target; empty: this machine
	dir    sdk.Path // of the job
	target *localfs.Root
	basis  *localfs.Dir
	out    *localfs.Dir
}

func openPlace(job sdk.Job) (*place, error) {
	no := func(msg string) error {
		return &sdk.Error{Kind: sdk.KindUnsupported, Op: "run rsync", Msg: msg}
	}
	switch {
	case !job.Source.Local():
		return nil, no("the source is not a directory of this machine")
	case job.Target.Path == "":
		return nil, no("the target has no path")
	}
	p := &place{dir: job.Dir, shell: job.Target.Shell}
	if p.far() && strings.Trim(string(job.Dir), plain) != "" {
		// rsync would put backslashes before other characters, for a shell that
		// is none.
		return nil, no("the job's directory has a name for which no shell is asked")
	}
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
	if p.far() {
		return nil
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

// plain are the characters that no shell reads in its own way.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// far reports whether the target is behind a shell.
func (p *place) far() bool { return len(p.shell) > 0 }

// arguments say how rsync reaches the target.
func (p *place) arguments() (options []string, destination string) {
	if !p.far() {
		return []string{"--copy-dest=" + openPath(p.basis.FD())}, openPath(p.out.FD()) + "/"
	}
	words := make([]string, 0, len(p.shell))
	for _, w := range p.shell {
		// As rsync takes such a command apart.
		words = append(words, "'"+strings.ReplaceAll(w, "'", "''")+"'")
	}
	options = []string{"--rsh=" + strings.Join(words, " "), "--no-relative", "--copy-dest=../" + sdk.JobBasis}
	return options, "far:" + string(p.dir.Join(sdk.JobOut)) + "/"
}

// finished looks for a file under its final name in the job's output: rsync
// writes under another name and renames.
func (p *place) finished(name string) (sdk.Entry, bool) {
	if p.far() {
		return sdk.Entry{}, false
	}
	e, err := p.out.Lstat(name)
	return e, err == nil && e.Type == sdk.TypeRegular
}

// written adds up the sizes of all that lies in the output, unfinished files too.
func (p *place) written() int64 {
	if p.far() {
		return 0
	}
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
	var errs []error
	for _, d := range []*localfs.Dir{p.out, p.basis} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	for _, r := range []*localfs.Root{p.source, p.target} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}
