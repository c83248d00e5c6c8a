package diag

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON renders the list for programs: one object on one line, whose
// "diagnostics" is an array, empty if all is well.
func (l List) WriteJSON(w io.Writer) error {
	if l == nil {
		l = List{}
	}
	out := struct {
		Diagnostics List `json:"diagnostics"`
	}{l}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}
