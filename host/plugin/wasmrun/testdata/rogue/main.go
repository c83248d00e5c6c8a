// Command rogue is a guest that speaks the ABI by itself. For the directory "host" it
// calls the host in every way that there is, and it has little room for requests.
package main

import (
	"unsafe"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
)

func main() {}

// Methods, as the ABI numbers them.
const (
	describe = 1
	open     = 3
	closing  = 16
	next     = 17
	scan     = 20
)

var (
	request [1 << 16]byte
	answer  []byte
	paths   []sdk.Path // of the scan
	done    int
)

//go:wasmimport gsyncd_host_v1 call
func hostCall(method, request, size, answer, room uint32) uint32

//go:wasmimport gsyncd_host_v1 fetch
func hostFetch(answer uint32)

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

//go:wasmexport gsyncd_abi_version
func version() uint32 { return wire.ABI }

//go:wasmexport gsyncd_alloc
func alloc(size uint32) uint32 {
	if size > uint32(len(request)) {
		return 0xffff_fff0
	}
	return address(request[:])
}

//go:wasmexport gsyncd_call
func call(method, at, size uint32) uint64 {
	answer = append(answer[:0], 0)
	switch method {
	case describe:
		answer, _ = wire.AppendManifest(answer, sdk.Descriptor{Name: "rogue", Version: "1", Schemes: []string{"rogue"}, Roles: []sdk.Role{sdk.Primary}})
	case open:
		answer = append(answer, 1, 0, 0, 0)
		answer = wire.AppendInfo(answer, sdk.Info{})
	case scan:
		c := wire.NewCursor(request[:size])
		c.U32()
		_, paths, _ = c.Paths()
		done = 0
		return piece()
	case next:
		return piece()
	}
	return result()
}

func result() uint64 { return uint64(address(answer))<<32 | uint64(len(answer)) }

// piece answers for the next directory alone.
func piece() uint64 {
	if done == len(paths) {
		answer = append(answer, 0, 0, 0, 0)
		return result()
	}
	dir := string(paths[done])
	answer = append(answer, 9, 0, 0, 0)
	rows := good(done)
	done++
	if dir == "host" {
		// What the runner must refuse, or may, without harm.
		for method := uint32(0); method < 100; method++ {
			for _, size := range []uint32{0, 1, 4, 9, 1000, 0xffff_ffff} {
				hostCall(method, 0xffff_fff0, size, 0xffff_fff0, 100)
				hostCall(method, address(request[:]), size, address(request[:]), uint32(len(request)))
				hostCall(method, address(request[:]), size, address(request[:]), 0)
				hostFetch(0xffff_fff0)
			}
		}
	}
	answer = append(answer, rows...)
	return result()
}

// good are the rows of a directory with two files.
func good(i int) (rows []byte) {
	enc := wire.NewScanEncoder(i+1, func(b []byte) error {
		rows = append(rows, b...)
		return nil
	})
	for j := range i {
		_ = enc.EndDir(j, &sdk.Error{})
	}
	_ = enc.Flush()
	rows = rows[:0]
	_ = enc.BeginDir(i, &sdk.Entry{Name: ".", Type: sdk.TypeDir})
	_ = enc.Entry(&sdk.Entry{Name: "ab", Type: sdk.TypeRegular})
	_ = enc.Entry(&sdk.Entry{Name: "cd", Type: sdk.TypeRegular})
	_ = enc.EndDir(i, nil)
	_ = enc.Flush()
	return rows
}
