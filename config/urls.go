package config

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// FromURLs makes one mirror of two URLs, with all defaults. Diagnostics are
// about "argument 1" and "argument 2". The mirror's name is made of the URLs,
// the same for the same pair. Of the options, Path, Vars and Env play no part.
func FromURLs(primary, secondary string, opts Options) (*Config, diag.List) {
	l := newLoader(opts)
	m := newMirror("", diag.Range{})
	m.Primary = l.argument("argument 1", "primary", primary)
	m.Secondary = l.argument("argument 2", "secondary", secondary)
	sum := sha256.Sum256([]byte(m.Primary.URL.Long() + "\n" + m.Secondary.URL.Long()))
	m.Name = "run-" + hex.EncodeToString(sum[:4])
	m.Range = m.Secondary.Range
	m.Transfer.Range = m.Range
	l.relation(m)
	l.cfg.Mirrors = []*Mirror{m}
	return l.cfg, l.diags.Sort()
}

func (l *loader) argument(file, name, raw string) Side {
	at := func(start, end int) diag.Range {
		return diag.Range{File: file, Start: diag.Pos{Byte: start}, End: diag.Pos{Byte: end}}
	}
	l.cfg.Sources[file] = []byte(raw)
	s := Side{Raw: raw, Range: at(0, len(raw))}
	l.side(name, &s, at)
	return s
}
