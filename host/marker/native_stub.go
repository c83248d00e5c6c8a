package marker

import "github.com/gsyncd/gsyncd-host/sdk"

// Native stands in.
func (m *Marker) Native(id sdk.FileID) (sdk.NativeXTime, bool) { return sdk.NativeXTime{}, false }
