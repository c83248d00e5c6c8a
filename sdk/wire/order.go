package wire

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// order checks the sequence of a scan's rows.
type order struct {
	dirs int // directories asked for
	next int // the next to begin or end
	open bool
	last string // the last name in the open directory; "" before the first
}

func (o *order) begin(i int, self *sdk.Entry) error {
	switch {
	case o.open:
		return fmt.Errorf("directory %d begins inside %d", i, o.next)
	case i != o.next || i >= o.dirs:
		return fmt.Errorf("directory %d of %d begins where %d belongs", i, o.dirs, o.next)
	case self.Name != "." || self.Type != sdk.TypeDir:
		return fmt.Errorf("directory %d describes itself as %s %q", i, self.Type, self.Name)
	}
	o.open, o.last = true, ""
	return nil
}

func (o *order) entry(name string) error {
	switch {
	case !o.open:
		return fmt.Errorf("entry %q outside of a directory", name)
	case name == ".":
		return fmt.Errorf("directory %d lists itself", o.next)
	case name <= o.last:
		return fmt.Errorf("entry %q after %q: not sorted", name, o.last)
	}
	o.last = name
	return nil
}

func (o *order) end(i int, failed bool) error {
	switch {
	case i != o.next || i >= o.dirs:
		return fmt.Errorf("directory %d of %d ends where %d belongs", i, o.dirs, o.next)
	case !o.open && !failed:
		return fmt.Errorf("directory %d ends without a beginning or an error", i)
	}
	o.open = false
	o.next++
	return nil
}

func (o *order) finish() error {
	if o.open || o.next != o.dirs {
		return fmt.Errorf("scan ends in directory %d of %d", o.next, o.dirs)
	}
	return nil
}
