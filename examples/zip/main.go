// Command zip is a driver: zip:// is the tree in a zip or tar archive, as a
// primary.
//
//	mirror "export" {
//	  primary   = "zip:///srv/export/nightly.zip"
//	  secondary = "/mnt/mirror/export"
//	}
package main

import "github.com/gsyncd/gsyncd-host/sdk/serve"

func main() { serve.Driver(newDriver) }
