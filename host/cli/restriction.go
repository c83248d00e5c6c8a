package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gsyncd/gsyncd-host/config/resurl"
	"github.com/gsyncd/gsyncd-host/host/agent"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// restrictionFlags are the options that say what a key may do.
type restrictionFlags struct {
	roots, from                    []string
	readOnly, noDelete, appendOnly bool
	maxBytes                       string
}

func (f *restrictionFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.roots, "root", nil, "a `tree` that the key is for; may be repeated")
	flags.StringArrayVar(&f.from, "from", nil, "`networks` that clients may be in, with commas between")
	flags.BoolVar(&f.readOnly, "read-only", false, "nothing may be changed")
	flags.BoolVar(&f.noDelete, "no-delete", false, "nothing may be removed or moved; files may be replaced")
	flags.BoolVar(&f.appendOnly, "append-only", false, "nothing may be removed, moved, replaced or changed")
	flags.StringVar(&f.maxBytes, "max-bytes", "", "the `size` that the files of a tree may have together")
	cmd.MarkFlagsMutuallyExclusive("read-only", "no-delete", "append-only")
}

// restriction reads the options. abs makes a root's text absolute.
func (f *restrictionFlags) restriction(abs func(string) string) (*agent.Restriction, error) {
	r := &agent.Restriction{}
	for _, text := range f.roots {
		u, err := resurl.Parse(abs(text))
		if err != nil {
			return nil, fmt.Errorf("--root: %w", err)
		}
		r.Roots = append(r.Roots, u)
	}
	var err error
	if r.From, err = agent.ParseNetworks(f.from); err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	switch {
	case f.readOnly:
		r.Policy.Access = agent.ReadOnly
	case f.appendOnly:
		r.Policy.Access = agent.AppendOnly
	case f.noDelete:
		r.Policy.Access = agent.NoDelete
	}
	if f.maxBytes != "" {
		if r.Policy.MaxBytes, err = schema.ParseSize(f.maxBytes); err != nil {
			return nil, fmt.Errorf("--max-bytes: %w; write a number and a unit, such as 500GiB", err)
		}
		if r.Policy.MaxBytes <= 0 || r.Policy.Access == agent.ReadOnly {
			return nil, errors.New("--max-bytes: nothing could be written; --read-only alone says that")
		}
	}
	if len(r.Roots) == 0 {
		return nil, errors.New("--root: name the tree that the key is for")
	}
	return r, r.Check()
}

// none reports whether nothing but perhaps roots is given.
func (f *restrictionFlags) none() bool {
	return len(f.from) == 0 && !f.readOnly && !f.noDelete && !f.appendOnly && f.maxBytes == ""
}
