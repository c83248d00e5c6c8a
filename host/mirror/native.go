package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
// marked up to it is on the secondary.
func (t *turn) setMark(n *node) sdk.Op {
	mark := n.mark(t.since)
	op := sdk.Op{Kind: sdk.OpSetMark, Path: n.path, Mark: mark.Encode()}
	if t.native {
		op.Native = t.stamp(n)
	}
	return op
}

// nativeOf is the native xtime up to which a directory of the primary was seen.
// Where none was marked since the index was begun, that is when it was begun.
func (t *turn) nativeOf(id sdk.FileID) sdk.NativeXTime {
	if x, ok := t.Marker.Native(id); ok && !x.IsZero() {
		return x
	}
	return t.pass.Beacon.Index.Since
}

// stampRoom is how far below the primary's native xtime, in microseconds, the
// one on the secondary may be for the sake of being another.
const stampRoom = 1000

// stamp is what a finished directory gets for its native xtime. Something may have
// been done to it, or below, for which the primary has not marked anything: what
// a hole of the marker hid, or a further name of a file. Who mirrors the
// secondary in turn goes by the stamp and must see another one. A lower one
// claims less, so it is true as well; it stays until there is a newer xtime.
func (t *turn) stamp(n *node) sdk.NativeXTime {
	x := t.nativeOf(n.id)
	switch {
	case !stampOf(x, n.native):
		return x
	case n.changed():
		return micros(toMicros(n.native) - 1)
	}
	return n.native
}

// stampOf reports whether a stamp on the secondary stands for the native xtime x.
func stampOf(x, was sdk.NativeXTime) bool {
	return !was.IsZero() && toMicros(was) <= toMicros(x) && toMicros(x)-toMicros(was) < stampRoom
}

func toMicros(x sdk.NativeXTime) uint64 { return uint64(x.Sec)*1e6 + uint64(x.Usec) }

func micros(n uint64) sdk.NativeXTime {
	return sdk.NativeXTime{Sec: uint32(n / 1e6), Usec: uint32(n % 1e6)}
}

// restamp gives other stamps to directories in which something was done though
// they were not entered, and to those above; what was entered gets one when it is
// complete.
func (t *turn) restamp(ctx context.Context, dirs []sdk.Path) error {
	if !t.native || len(dirs) == 0 {
		return nil
	}
	known := map[sdk.Path]bool{}
	var all []sdk.Path
	t.mu.Lock()
	for _, d := range dirs {
		for ; !known[d]; d = d.Dir() {
			known[d] = true
			if n := t.entered[d]; n != nil {
				n.restamp = true
			} else {
				all = append(all, d)
			}
		}
	}
	t.mu.Unlock()
	// Deeper ones first: a new one above must not be seen before.
	slices.SortFunc(all, func(a, b sdk.Path) int { return cmp.Compare(depth(b), depth(a)) })
	for chunk := range slices.Chunk(all, sdk.MaxBatch) {
		found, err := t.Target.Stat(ctx, chunk, t.markFields())
		if err != nil {
			return fmt.Errorf("read marks: %w", err)
		}
		var ops []sdk.Op
		for i := range found {
			if e := &found[i]; e.Err == nil && e.Mark != nil && !e.Native.IsZero() {
				ops = append(ops, sdk.Op{Kind: sdk.OpSetMark, Path: chunk[i], Mark: e.Mark, Native: micros(toMicros(e.Native) - 1)})
			}
		}
		if _, err := t.apply(ctx, ops); err != nil {
			return err
		}
	}
	return nil
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
