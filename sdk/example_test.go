package sdk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// A driver makes an error of the system one that crosses the border whole.
func ExampleNewError() {
	_, err := os.Stat("/nowhere/at/all")
	e := sdk.NewError("stat", "at/all", err)
	fmt.Println(e.Kind)
	fmt.Println(e)
	fmt.Println(errors.Is(e, fs.ErrNotExist))
	// Output:
	// not-exist
	// stat at/all: no such file or directory
	// true
}

// What comes from outside is checked before it is used: no path leads out.
func ExamplePath_Validate() {
	for _, p := range []sdk.Path{sdk.Root, "pictures/a.jpg", "../etc", "/etc"} {
		fmt.Printf("%q: %v\n", p, p.Validate() == nil)
	}
	// Output:
	// ".": true
	// "pictures/a.jpg": true
	// "../etc": false
	// "/etc": false
}

func ExamplePath_Join() {
	dir := sdk.Root.Join("pictures")
	fmt.Println(dir.Join("a.jpg"), dir.Join("a.jpg").Dir(), dir.Join("a.jpg").Base())
	// Output: pictures/a.jpg pictures a.jpg
}

// A secondary takes over what the primary has and it can keep.
func ExampleMetaOf() {
	e := sdk.Entry{Name: "a", Type: sdk.TypeRegular, Perm: 0o640, UID: 1000, Mtime: sdk.Time{Sec: 1767225600}}
	m := sdk.MetaOf(&e, sdk.MetaPerm|sdk.MetaMtime)
	op := sdk.Op{Kind: sdk.OpSetMeta, Path: "a", Meta: m}
	fmt.Println(op.Kind, op.Validate(), m.Mask&sdk.MetaOwner != 0)
	// Output: set-meta <nil> false
}
