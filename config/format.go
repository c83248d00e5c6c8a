package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// Format lays out a file in the canonical way. name is the file's, for
// diagnostics; with errors among them nothing is returned.
func Format(name string, src []byte) ([]byte, diag.List) {
	if d := tooLarge(name, src); d != nil {
		return nil, diag.List{*d}
	}
	_, hd := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags := diag.FromHCLDiagnostics(hd).Sort(); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}
