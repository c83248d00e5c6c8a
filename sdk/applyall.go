package sdk

import (
	"context"
	"fmt"
	"slices"
)

// ApplyAll is [Target.Apply] for lists that may have OpSync in them. Where the
// target does not take it, the list is done piece by piece, with [Target.Sync] in
// between.
func ApplyAll(ctx context.Context, t Target, ops []Op) ([]OpResult, error) {
	isSync := func(o Op) bool { return o.Kind == OpSync }
	at := slices.IndexFunc(ops, isSync)
	if at < 0 || t.Info().Features&SyncsInLists != 0 {
		return t.Apply(ctx, ops)
	}
	results := make([]OpResult, 0, len(ops))
	for rest := ops; len(rest) > 0; at = slices.IndexFunc(rest, isSync) {
		if at < 0 {
			at = len(rest)
		}
		if at > 0 {
			part, err := t.Apply(ctx, rest[:at])
			if err != nil {
				return nil, err
			}
			if len(part) != at {
				return nil, fmt.Errorf("apply: %d results for %d operations", len(part), at)
			}
			results = append(results, part...)
		}
		if at == len(rest) {
			break
		}
		if err := t.Sync(ctx); err != nil {
			if ctx.Err() != nil || KindOf(err) == KindGone {
				return nil, err
			}
			return append(results, failAll(rest[at:], NewError(OpSync.String(), "", err))...), nil
		}
		results = append(results, OpResult{})
		rest = rest[at+1:]
	}
	return results, nil
}

// failAll gives every operation the same error.
func failAll(ops []Op, err *Error) []OpResult {
	return slices.Repeat([]OpResult{{Err: err}}, len(ops))
}
