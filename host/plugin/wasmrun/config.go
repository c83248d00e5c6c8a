package wasmrun

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/grant"
)

// Config is how a guest is run. The host hands it out as JSON.
type Config struct {
	SHA256 []byte // what the module's bytes must have
	// Memory is the most that an instance may have, in bytes; 0 means 256 MiB.
	Memory int64
	// CallTimeout bounds the guest's own work for one message; 0 means 30 seconds.
	CallTimeout time.Duration
	Trusted     bool // no checks by which a loop could be ended
	Repack      bool // a manifest in the module's file is not looked at
	Grants      grant.Config
	// CacheDir is where compiled modules are kept; "": the user's cache directory.
	CacheDir string
}

const (
	pageSize       = 64 << 10
	defaultMemory  = 256 << 20
	defaultTimeout = 30 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Memory <= 0 {
		c.Memory = defaultMemory
	}
	if c.CallTimeout <= 0 {
		c.CallTimeout = defaultTimeout
	}
	return c
}

// Marshal encodes c for the way to the runner.
func (c Config) Marshal() ([]byte, error) { return json.Marshal(c) }

func unmarshal(data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("decode the guest's configuration: %w", err)
	}
	return c, nil
}
