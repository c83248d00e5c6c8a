package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// The parser and the evaluation recurse, a good 9 kB of stack a level, and a
// stack that overflows cannot be recovered from. Nobody writes such a file, but
// -c may name anything.
const (
	maxFile      = 1 << 20 // bytes
	maxDepth     = 500     // of brackets in brackets
	maxOperators = 10000   // each may be a level of its own
)

// parse reads one file. With errors there is no body.
func parse(name string, src []byte) (*hclsyntax.Body, diag.List) {
	whole := diag.Diagnostic{Subject: diag.Range{File: name}}
	if len(src) > maxFile {
		whole.Summary = "the file is larger than 1 MiB, which no configuration is"
		return nil, diag.List{whole}
	}
	if at, deep := tooDeep(name, src); deep {
		whole.Summary, whole.Subject = "the nesting is too deep here, or there are too many operators", diag.FromHCL(at)
		return nil, diag.List{whole}
	}
	file, hd := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	diags := diag.FromHCLDiagnostics(hd)
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || diags.HasErrors() {
		return nil, diags
	}
	return body, diags
}

// tooDeep finds the first place where a text goes beyond the bounds.
func tooDeep(name string, src []byte) (hcl.Range, bool) {
	// What the scanner complains about the parser finds again.
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrack:
			depth++
			operators++ // perhaps an index
		case hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
			depth++
		case hclsyntax.TokenTemplateControl:
			depth++
			operators++ // perhaps an if, which ends with another one
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit,
			hclsyntax.TokenComma, hclsyntax.TokenEqual, hclsyntax.TokenColon, hclsyntax.TokenNewline, hclsyntax.TokenComment:
		default:
			operators++
		}
		if depth > maxDepth || operators > maxOperators {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}
