package wasmrun

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// ownData is what the runner itself may need, and a compilation.
	ownData = 2 << 30
	// manyInstances is for how many full instances there is room. Memory that grows
	// is there twice for a moment.
	manyInstances = 16
)

// limitProcess bounds what the runner as a whole can take from the machine: a module
// has ways to ask for memory that its own limit does not see, such as tables. One
// that comes to the bound ends its runner, which the host sees as the end of any
// plugin. The guest's memory is not to be found in a core file either.
func limitProcess(memory int64) error {
	data := uint64(ownData + manyInstances*memory)
	for what, limit := range map[int]uint64{unix.RLIMIT_DATA: data, unix.RLIMIT_CORE: 0} {
		var r unix.Rlimit
		if err := unix.Getrlimit(what, &r); err != nil {
			return fmt.Errorf("limit the runner: %w", err)
		}
		r.Cur = min(r.Max, limit)
		r.Max = r.Cur
		if err := unix.Setrlimit(what, &r); err != nil {
			return fmt.Errorf("limit the runner: %w", err)
		}
	}
	return nil
}
