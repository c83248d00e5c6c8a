package plugin

import (
	"context"

	"github.com/gsyncd/gsyncd-host/host/plugin/wasmfile"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// Manifest returns what a WASM module says of itself in its file, which must have
// the checksum sum unless that is nil. Nothing is run. found is false if it says
// nothing.
func Manifest(path string, sum []byte) (desc sdk.Descriptor, found bool, err error) {
	f, err := wasmfile.Read(path, sum)
	if err != nil {
		return desc, false, err
	}
	return f.Manifest()
}

// Identify finds out what a third party's plugin is of which only the file, with
// its checksum, is known: it notes in d its kind and what it calls itself. A module
// is asked by its manifest; a program, and a module that has none or is to get
// another, is started. The registry plays no part.
func (s *Supervisor) Identify(ctx context.Context, d *Declaration) error {
	if d.Guest() && !d.Repack {
		desc, found, err := Manifest(d.Path, d.SHA256)
		if err != nil {
			return err
		}
		if found {
			d.Kind, d.Name = KindDriver, desc.Name
			return nil
		}
	}
	var first error
	for _, kind := range []Kind{KindDriver, KindTransfer} {
		d.Kind, d.Name = kind, ""
		p := &Process{supervisor: s}
		if err := s.startProcess(ctx, p, d, s.log); err != nil {
			if first == nil {
				first = err // most are drivers
			}
			if d.Guest() {
				break
			}
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
	return first
}
