// Command driver is an example of a driver: only:// is a directory of which no
// files are seen but those whose names end in one of some suffixes.
//
//	mirror "pictures" {
//	  primary   = "only:///srv/home"
//	  secondary = "/mnt/mirror/pictures"
//
//	  driver "only" {
//	    suffixes = [".jpg", ".raw"]
//	  }
//	}
package main

import "github.com/gsyncd/gsyncd-host/sdk/process"

func main() { process.ServeDriver(newOnly) }
