package process

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

func driverToWire(d sdk.Descriptor) (*wirepb.DriverDescriptor, error) {
	data, err := schema.MarshalSchema(d.Schema)
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	out := &wirepb.DriverDescriptor{Name: []byte(d.Name), Version: []byte(d.Version), Native: d.Native, Schema: data}
	for _, s := range d.Schemes {
		out.Schemes = append(out.Schemes, []byte(s))
	}
	for _, r := range d.Roles {
		out.Roles = append(out.Roles, uint32(r))
	}
	return out, nil
}

func driverFromWire(m *wirepb.DriverDescriptor) (sdk.Descriptor, error) {
	d := sdk.Descriptor{Name: string(m.Name), Version: string(m.Version), Native: m.Native}
	for _, s := range m.Schemes {
		d.Schemes = append(d.Schemes, string(s))
	}
	for _, n := range m.Roles {
		r, err := small[sdk.Role]("role", n)
		if err != nil {
			return d, err
		}
		if r != sdk.Primary && r != sdk.Secondary {
			return d, fmt.Errorf("role %d is not known", n)
		}
		d.Roles = append(d.Roles, r)
	}
	var err error
	if d.Schema, err = schema.UnmarshalSchema(m.Schema); err != nil {
		return d, err
	}
	return d, wire.CheckDescriptor(&d)
}

func transferToWire(d sdk.TransferDescriptor) (*wirepb.TransferDescriptor, error) {
	data, err := schema.MarshalSchema(d.Schema)
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return &wirepb.TransferDescriptor{Name: []byte(d.Name), Version: []byte(d.Version), Remote: d.Remote, Delta: d.Delta, Schema: data}, nil
}

func transferFromWire(m *wirepb.TransferDescriptor) (sdk.TransferDescriptor, error) {
	d := sdk.TransferDescriptor{Name: string(m.Name), Version: string(m.Version), Remote: m.Remote, Delta: m.Delta}
	if err := wire.CheckWord(d.Name); err != nil {
		return d, fmt.Errorf("name: %w", err)
	}
	var err error
	d.Schema, err = schemaFromWire(m.Schema)
	return d, err
}

func schemaFromWire(data []byte) (schema.Schema, error) {
	s, err := schema.UnmarshalSchema(data)
	if err != nil {
		return nil, err
	}
	return s, wire.CheckSchema(s)
}
