package config

import (
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/gsyncd/gsyncd-host/config/diag"
)

// Format lays out a file in the canonical way. name is the file's, for
// diagnostics; with errors among them nothing is returned.
func Format(name string, src []byte) ([]byte, diag.List) {
	if _, diags := parse(name, src); diags.HasErrors() {
		return nil, diags.Sort()
	}
	return hclwrite.Format(src), nil
}
