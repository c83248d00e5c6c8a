package marker

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// plan is how a pass goes about it.
type plan struct {
	full   bool // through the whole tree
	native bool // native xtimes are asked for, and taken over
	root   bool // a partial pass begins at the root as well
	resume bool // what was stamped since the point is listed again
	until  bool // all that happened before the pass before had ended is told of by now
	dirs   []sdk.FileID
}

// plan decides how much of the tree is looked at.
func (m *Marker) plan(ctx context.Context, src sdk.Source, b sdk.Beacon, hint Hint) (plan, error) {
	p := plan{dirs: hint.Dirs}
	p.native = src.Info().Features&sdk.HasNative != 0 && !b.Index.IsZero()
	if !p.native {
		p.resume = hint.Since != "" && hint.Since == m.Point()
		p.full = hint.All || hint.Sweep || !m.links.filled || !p.resume && (m.owed || hint.Since != "")
		m.owed = p.full
		p.until = m.expect(hint.Until)
		return p, nil
	}
	index := sdk.VolumeMark{Volume: b.Index.Volume, Since: b.Index.Since}
	if m.index != index {
		m.begun(index)
	}
	m.mu.RLock()
	root := *m.tree.at(m.tree.root)
	m.mu.RUnlock()
	if p.full = hint.Sweep || !root.is(flagNative); p.full {
		return p, nil
	}
	found, err := src.Stat(ctx, []sdk.Path{sdk.Root}, sdk.FieldNative)
	if err != nil {
		return p, fmt.Errorf("read the primary's native xtime: %w", err)
	}
	if len(found) != 1 {
		return p, fmt.Errorf("read the primary's native xtime: %d answers", len(found))
	}
	switch self := &found[0]; {
	case self.Err != nil:
		return p, fmt.Errorf("read the primary's native xtime: %w", self.Err)
	case self.Native.IsZero():
		// Nothing was ever marked: it is not known yet that marking works.
		p.full = true
	default:
		p.root = !root.knows(self.Native)
	}
	return p, nil
}

// begun makes void what was read of another volume's native xtimes, or before
// the volume's index was begun anew.
func (m *Marker) begun(index sdk.VolumeMark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.index.IsZero() {
		m.log.Info("the native xtimes of the primary were begun anew, all of it is compared", "since", index.Since)
	}
	for _, n := range m.tree.all() {
		n.native = sdk.NativeXTime{}
		n.flags &^= flagNative
	}
	m.index, m.point, m.until = index, kept{}, kept{}
	m.journal.renew()
}
