package plugin

import (
	"context"
)

// Identify finds out what a third party's program is of which only the file, with
// its checksum, is known: it starts it, and notes in d its kind and what it calls
// itself. The registry plays no part.
func (s *Supervisor) Identify(ctx context.Context, d *Declaration) error {
	var errs []error
	for _, kind := range []Kind{KindDriver, KindTransfer} {
		d.Kind, d.Name = kind, ""
		p := &Process{supervisor: s}
		if err := s.startProcess(ctx, p, d, s.log); err != nil {
			errs = append(errs, err)
			continue
		}
		if kind == KindDriver {
			d.Name = p.driver.Describe().Name
		} else {
			d.Name = p.transfer.Describe().Name
		}
		p.Stop(ctx)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errs[0] // most are drivers
}
