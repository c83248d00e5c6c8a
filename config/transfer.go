package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// The transfer methods that the host has itself.
const (
	Auto   = "auto"   // picks a method for each file
	Stream = "stream" // sends through the drivers
)

func ownTransfer(name string) bool { return name == Auto || name == Stream }

// Transfer says how a mirror's files are moved. The Label of its Block is the
// method: Auto, Stream, or the name of a plugin, whose body waits in the Block.
type Transfer struct {
	Block
	// Of Auto and Stream:
	Jobs      int   // how many files move at once; 0: the host chooses
	Threshold int64 // of Auto: bytes from which on a delta may pay; 0: the host chooses
}

// Own reports whether the method is the host's own and no plugin.
func (t Transfer) Own() bool { return ownTransfer(t.Label) }

// maxJobs keeps a slip of the finger from starting a million workers.
const maxJobs = 256

var ownTransferSchemas = map[string]schema.Schema{
	Auto: {
		{Name: "jobs", Type: schema.Count, Doc: "how many files move at once"},
		{Name: "threshold", Type: schema.Size, Doc: "size from which on only the difference of a file is sent"},
	},
	Stream: {
		{Name: "jobs", Type: schema.Count, Doc: "how many files move at once"},
	},
}

func (l *loader) transfer(m *Mirror, b *hclsyntax.Block, scope string) {
	if !l.labels(b, "method") {
		return
	}
	header := diag.FromHCL(b.DefRange())
	if !l.once(scope+" transfer", "the transfer of "+m.what(), header) {
		return
	}
	name := b.Labels[0]
	m.Transfer = Transfer{Block: Block{Kind: TransferPlugin, Label: name, Range: header, body: b.Body, scope: l.scope}}
	if !ownTransfer(name) {
		methods := slices.Concat([]string{Auto, Stream}, l.opts.Transfers, l.declared(TransferPlugin))
		if !slices.Contains(methods, name) {
			l.fail(diag.FromHCL(b.LabelRanges[0]), didYouMean(name, methods, knownNames("methods", methods)), "unknown transfer method %q", name)
		}
		return
	}
	c := l.decode(b, layout{what: m.Transfer.what(), attrs: ownTransferSchemas[name]})
	if expr := c.exprs["jobs"]; expr != nil && (c.values.Int("jobs") < 1 || c.values.Int("jobs") > maxJobs) {
		l.fail(diag.FromHCL(expr.Range()), "write a count such as 4", "jobs must be from 1 to %d", maxJobs)
	}
	m.Transfer.Jobs, m.Transfer.Threshold = int(min(c.values.Int("jobs"), maxJobs)), c.values.Int("threshold")
}

// declared lists the names of the plugins declared.
func (l *loader) declared(kind PluginKind) (names []string) {
	for _, p := range l.cfg.Plugins {
		if p.Kind == kind {
			names = append(names, p.Name)
		}
	}
	return names
}

func knownNames(what string, names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return fmt.Sprintf("known %s: %s", what, strings.Join(names, ", "))
}
