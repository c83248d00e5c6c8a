// Command mkmanifest writes the manifest of a directory that a web server is to
// serve, as MANIFEST.jsonl in it. It takes the place of an earlier one in one step,
// so run it after the tree has changed.
//
//	go run ./examples/https/mkmanifest /srv/www/tree
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/gsyncd/gsyncd-host/examples/https/manifest"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: mkmanifest DIRECTORY")
		return 2
	}
	if err := manifest.Make(args[0]); err != nil {
		fmt.Fprintln(stderr, "mkmanifest:", err)
		return 1
	}
	return 0
}
