// Command https is a driver: https:// is a tree that a web server shows, as a
// primary.
//
//	mirror "downloads" {
//	  primary   = "https://downloads.example.com/tree/"
//	  secondary = "/mnt/mirror/downloads"
//	}
package main

import "github.com/gsyncd/gsyncd-host/sdk/serve"

func main() { serve.Driver(newDriver) }
