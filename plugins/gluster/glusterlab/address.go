package glusterlab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Gluster's port is the same on every address, so each lab has an address of
// its own. The net is a corner of loopback that people rarely use.
const (
	network    = "127.93.0."
	management = "24007"
	prefix     = "glusterlab-"
)

// claim makes the caller the owner of an address for as long as it lives. A
// taken address is syscall.EADDRINUSE.
func claim(address string) (net.Listener, error) {
	return net.Listen("unix", "@"+prefix+address)
}

// takeAddress makes a lab with a free address and no directory yet.
func takeAddress(base string) (*Lab, error) {
	for n := 1; n < 255; n++ {
		address := fmt.Sprint(network, n)
		owner, err := claim(address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claim address %s: %w", address, err)
		}
		// A lab in another base whose owner is dead may still listen here.
		probe, err := net.Listen("tcp", net.JoinHostPort(address, management))
		if err == nil {
			err = probe.Close()
		}
		dir := filepath.Join(base, prefix+address)
		if err == nil {
			err = os.Mkdir(dir, 0o755)
		}
		switch {
		case err == nil:
			return &Lab{dir: dir, address: address, claim: owner, sockets: map[string]bool{}}, nil
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, os.ErrExist):
			owner.Close()
		default:
			owner.Close()
			return nil, fmt.Errorf("take address %s: %w", address, err)
		}
	}
	return nil, fmt.Errorf("take address: all of %s1 to 254 are in use", network)
}

// Reap clears away the labs in a base directory whose owners are dead.
func Reap(base string) error {
	dirs, err := filepath.Glob(filepath.Join(base, prefix+network+"*"))
	if err != nil {
		return fmt.Errorf("reap Gluster labs: %w", err)
	}
	for _, dir := range dirs {
		owner, err := claim(strings.TrimPrefix(filepath.Base(dir), prefix))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // it is alive
		}
		if err != nil {
			return fmt.Errorf("reap Gluster labs: %w", err)
		}
		err = clearAway(dir)
		owner.Close()
		if err != nil {
			return fmt.Errorf("reap Gluster lab: %w", err)
		}
	}
	return nil
}
