package grant_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// A driver opens a file of a directory that it was granted. In a plugin the set is
// that of grant.Given.
func ExampleSet_Find() {
	base, err := os.MkdirTemp("", "granted")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(base)
	archive := filepath.Join(base, "a.zip")
	if err := os.WriteFile(archive, []byte("PK…"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	granted := grant.New(grant.Config{Dirs: []grant.DirConfig{{Path: base}}})
	defer granted.Close()

	dir, path, err := granted.Find(archive)
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := dir.Open(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	fmt.Println(path, f.Size(), dir.Writable())

	_, _, err = granted.Find("/etc/passwd")
	fmt.Println(sdk.KindOf(err))
	// Output:
	// a.zip 5 false
	// permission
}
