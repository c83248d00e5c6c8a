package grant

import "github.com/gsyncd/gsyncd-host/sdk/wasm"

// Given returns what this plugin was granted: nothing if the configuration grants
// nothing. It may be called more than once; what is wrong with the grants is the
// error of each use.
func Given() *Set { return Through(wasm.Host()) }
