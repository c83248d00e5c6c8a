package mirror

import (
	"context"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// nativeSlack is how many seconds the clocks of the machines that stamp native
// xtimes and change times may differ before a change is mistaken for an
// earlier one that classic gsyncd brought.
const nativeSlack = 5

// keepsNative reports whether the secondary carries the primary's native xtimes.
// Without marks of our own beside them they are left alone: what cannot keep the
// one cannot keep the other.
func keepsNative(src, dst sdk.Features) bool {
	return src&sdk.HasNative != 0 && dst&sdk.HasNative != 0 && dst&sdk.CanMarks != 0
}

// markFields is what is asked of a secondary's directories.
func (m *Mirror) markFields() sdk.Fields {
	if m.native {
		return sdk.FieldMark | sdk.FieldNative
	}
	return sdk.FieldMark
}

// setMark makes the operation that marks a finished directory. Who comes without
// our index, another mirror's marker or classic gsyncd, reads the native xtime: it
// is the one that the pass read before it listed the directory, so all that was
// marked up to it is on the secondary. With a mark that only says "begun" goes the
// one that is there already, which is as true as before.
func (m *Mirror) setMark(path sdk.Path, mark crawl.Mark) sdk.Op {
	op := sdk.Op{Kind: sdk.OpSetMark, Path: path, Mark: mark.Encode()}
	if m.native {
		op.Native, _ = m.Marker.Native(mark.Dir)
	}
	return op
}

// carries reports whether the secondary's directory s, which has no mark of ours,
// has the native xtime at which the primary's directory id stands: then
// classic gsyncd brought all of it, as far as it brings things. Where our own mark
// is, it alone decides.
func (m *Mirror) carries(id sdk.FileID, s *sdk.Entry) bool {
	if !m.native || s.Mark != nil || s.Native.IsZero() {
		return false
	}
	x, ok := m.Marker.Native(id)
	return ok && x == s.Native
}

// tookOver reports whether the secondary's root s says that classic gsyncd brought
// all that the primary has at present, before any pass.
func (m *Mirror) tookOver(ctx context.Context, s *sdk.Entry) (bool, error) {
	if !m.native || s.Mark != nil || s.Native.IsZero() {
		return false, nil
	}
	found, err := m.Source.Stat(ctx, []sdk.Path{sdk.Root}, sdk.FieldNative)
	if err != nil {
		return false, err
	}
	return found[0].Err == nil && found[0].Native == s.Native, nil
}
