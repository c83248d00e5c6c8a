package process

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

func fileToWire(f *sdk.File) *wirepb.File {
	return &wirepb.File{Name: []byte(f.Name), Path: []byte(f.Path), Size: f.Size, Ino: f.ID.Ino, Gen: f.ID.Gen, Basis: f.Basis}
}

func fileFromWire(m *wirepb.File) (sdk.File, error) {
	f := sdk.File{Name: string(m.Name), Path: sdk.Path(m.Path), Size: m.Size, ID: sdk.FileID{Ino: m.Ino, Gen: m.Gen}, Basis: m.Basis}
	if !digits(f.Name) {
		return f, fmt.Errorf("file name %q is not a number", f.Name)
	}
	if f.Path == sdk.Root || f.Size < 0 {
		return f, fmt.Errorf("file %q: %d bytes", f.Path, f.Size)
	}
	return f, f.Path.Validate()
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

func jobToWire(j sdk.Job) (*wirepb.Job, error) {
	config, err := j.Config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return &wirepb.Job{Source: endpointToWire(j.Source), Target: endpointToWire(j.Target), Dir: []byte(j.Dir), Config: config}, nil
}

func jobFromWire(m *wirepb.Job, d sdk.TransferDescriptor) (sdk.Job, error) {
	var j sdk.Job
	var err error
	if j.Source, err = endpointFromWire(m.Source); err != nil {
		return j, err
	}
	if j.Target, err = endpointFromWire(m.Target); err != nil {
		return j, err
	}
	j.Dir = sdk.Path(m.Dir)
	if err := j.Dir.Validate(); err != nil {
		return j, err
	}
	j.Config, err = d.Schema.Unmarshal(m.Config)
	return j, err
}
