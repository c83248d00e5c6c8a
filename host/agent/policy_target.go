package agent

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/host/crawl"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// guardedTarget is a target that does what a policy allows. What is forbidden
// is the result of its operation; the next goes on.
type guardedTarget struct {
	sdk.Target
	policy Policy
	quota  *quota // nil: no limit
	// turn is held by one Apply at a time where entries have to stay: what was
	// looked at must still be so when it is acted on, and a directory that moves
	// must not be one that another call is at work in.
	turn chan struct{}
}

var _ sdk.Target = (*guardedTarget)(nil)

// Info implements [sdk.Resource].
func (t *guardedTarget) Info() sdk.Info {
	info := t.Target.Info()
	info.Features &^= sdk.SyncsInLists // it is not among what is judged here
	if t.policy.keeps() {
		info.Features |= sdk.KeepsEntries
	}
	return info
}

// Apply implements [sdk.Target].
func (t *guardedTarget) Apply(ctx context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	if !t.policy.keeps() {
		return t.Target.Apply(ctx, ops)
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("apply: %w", ctx.Err())
	}
	b := batch{target: t.Target, results: make([]sdk.OpResult, len(ops))}
	for i := range ops {
		op := &ops[i]
		v := verdict{refusal: t.judge(op)}
		if v.refusal == nil && t.looks(op) {
			// What the operations before it do counts.
			if err := b.flush(ctx); err != nil {
				return nil, err
			}
			var err error
			if v, err = t.look(ctx, op); err != nil {
				return nil, err
			}
		}
		if v.refusal != nil || v.done {
			b.results[i].Err = v.refusal
			continue
		}
		b.ops, b.at = append(b.ops, *op), append(b.at, i)
	}
	if err := b.flush(ctx); err != nil {
		return nil, err
	}
	return b.results, nil
}

// judge decides by names alone.
func (t *guardedTarget) judge(op *sdk.Op) *sdk.Error {
	if err := op.Validate(); err != nil {
		return &sdk.Error{Kind: sdk.KindInput, Op: "apply", Msg: err.Error()}
	}
	switch op.Kind {
	case sdk.OpRemove, sdk.OpRemoveTree:
		if !staged(op.Path) {
			return t.policy.refuse(op.Kind.String(), op.Path, "remove anything")
		}
	case sdk.OpRename:
		if !staged(op.From) {
			return t.policy.refuse(op.Kind.String(), op.From, "move anything away")
		}
	case sdk.OpMkdir, sdk.OpSymlink, sdk.OpMknod, sdk.OpLink, sdk.OpSetMeta, sdk.OpSetMark, sdk.OpSetVolumeMark:
	default:
		return t.policy.refuse(op.Kind.String(), op.Path, "do that")
	}
	return nil
}

// verdict is what becomes of an operation; the zero value lets it be done.
type verdict struct {
	refusal *sdk.Error
	done    bool // what is there is so already
}

// looks reports whether it depends on what is there if op is allowed.
func (t *guardedTarget) looks(op *sdk.Op) bool {
	if t.policy.Access != AppendOnly {
		return false
	}
	switch op.Kind {
	case sdk.OpRename, sdk.OpLink, sdk.OpSymlink, sdk.OpMknod:
		return !staged(op.Path)
	case sdk.OpSetMeta:
		return true
	}
	return false
}

// look decides by what is there.
func (t *guardedTarget) look(ctx context.Context, op *sdk.Op) (verdict, error) {
	var fields sdk.Fields
	if op.Kind == sdk.OpSetMeta && op.Meta.Mask&sdk.MetaXattrs != 0 {
		fields = sdk.FieldXattrs
	}
	found, err := t.Stat(ctx, []sdk.Path{op.Path}, fields)
	if err != nil {
		return verdict{}, fmt.Errorf("look before %s: %w", op.Kind, err)
	}
	if len(found) != 1 {
		return verdict{}, fmt.Errorf("look before %s: %d entries for one path", op.Kind, len(found))
	}
	e := &found[0]
	switch {
	case e.Err != nil && e.Err.Kind == sdk.KindNotExist:
		return verdict{}, nil
	case e.Err != nil:
		return verdict{refusal: e.Err}, nil
	case op.Kind != sdk.OpSetMeta:
		return verdict{refusal: t.policy.refuse(op.Kind.String(), op.Path, "replace what is there")}, nil
	case e.Type == sdk.TypeDir || staged(op.Path) && e.Nlink == 1:
		return verdict{}, nil
	case t.hasMeta(e, &op.Meta): // a mirror that is not sure sets what is set
		return verdict{done: true}, nil
	}
	// A staged name with a second one may be a link to what is in place.
	return verdict{refusal: t.policy.refuse(op.Kind.String(), op.Path, "change what is there")}, nil
}

// hasMeta reports whether an entry has the attributes that are to be set, as far
// as the target can keep them.
func (t *guardedTarget) hasMeta(e *sdk.Entry, m *sdk.Meta) bool {
	want := sdk.Entry{Type: e.Type, Perm: m.Perm, UID: m.UID, GID: m.GID, Mtime: m.Mtime, Xattrs: m.Xattrs}
	keeps := crawl.Policy{Features: t.Target.Info().Features}
	return keeps.MetaDiff(&want, e, m.Mask&sdk.MetaXattrs != 0)&m.Mask == 0
}

// batch gathers the allowed operations of an Apply.
type batch struct {
	target  sdk.Target
	ops     []sdk.Op
	at      []int // their places among all
	results []sdk.OpResult
}

// flush does what was gathered.
func (b *batch) flush(ctx context.Context) error {
	if len(b.ops) == 0 {
		return nil
	}
	results, err := b.target.Apply(ctx, b.ops)
	if err != nil {
		return err
	}
	if len(results) != len(b.ops) {
		return fmt.Errorf("apply: %d results for %d operations", len(results), len(b.ops))
	}
	for i, r := range results {
		b.results[b.at[i]] = r
	}
	b.ops, b.at = b.ops[:0], b.at[:0]
	return nil
}
