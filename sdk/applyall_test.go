package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// plainTarget knows no OpSync.
type plainTarget struct {
	sdk.Target
	bad  error // of Sync
	done []string
}

func (p *plainTarget) Info() sdk.Info { return sdk.Info{} }

func (p *plainTarget) Sync(context.Context) error {
	p.done = append(p.done, "sync")
	return p.bad
}

func (p *plainTarget) Apply(_ context.Context, ops []sdk.Op) ([]sdk.OpResult, error) {
	for i := range ops {
		if err := ops[i].Validate(); err != nil {
			return nil, err
		}
		p.done = append(p.done, fmt.Sprint(ops[i].Path))
	}
	return make([]sdk.OpResult, len(ops)), nil
}

func TestApplyAll(t *testing.T) {
	op := func(path sdk.Path) sdk.Op { return sdk.Op{Kind: sdk.OpMkdir, Path: path} }
	sync := sdk.Op{Kind: sdk.OpSync, Path: sdk.Root}
	list := []sdk.Op{op("a"), op("b"), sync, op("c"), sync}
	p := &plainTarget{}
	got, err := sdk.ApplyAll(t.Context(), p, list)
	if diff := cmp.Diff(make([]sdk.OpResult, len(list)), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff([]string{"a", "b", "sync", "c", "sync"}, p.done); diff != "" {
		t.Error(diff)
	}
}

// After a sync that failed nothing is done.
func TestApplyAllStopsAtFailedSync(t *testing.T) {
	op := func(path sdk.Path) sdk.Op { return sdk.Op{Kind: sdk.OpMkdir, Path: path} }
	p := &plainTarget{bad: &sdk.Error{Kind: sdk.KindNoSpace, Msg: "full"}}
	got, err := sdk.ApplyAll(t.Context(), p, []sdk.Op{op("a"), {Kind: sdk.OpSync, Path: sdk.Root}, op("b")})
	if err != nil || len(got) != 3 || got[0].Err != nil || got[1].Err == nil || got[2].Err == nil || got[2].Err.Kind != sdk.KindNoSpace {
		t.Errorf("results %v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"a", "sync"}, p.done); diff != "" {
		t.Error(diff)
	}
	p.bad = &sdk.Error{Kind: sdk.KindGone}
	if _, err := sdk.ApplyAll(t.Context(), p, []sdk.Op{{Kind: sdk.OpSync, Path: sdk.Root}, op("b")}); !errors.Is(err, p.bad) {
		t.Errorf("error %v, want that the target is gone", err)
	}
}
