package process

import (
	"errors"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
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
	if err := validWord(d.Name); err != nil {
		return d, fmt.Errorf("name: %w", err)
	}
	if len(m.Schemes) == 0 {
		return d, errors.New("no scheme")
	}
	for _, s := range m.Schemes {
		if err := validWord(string(s)); err != nil {
			return d, fmt.Errorf("scheme: %w", err)
		}
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
	d.Schema, err = schemaFromWire(m.Schema)
	return d, err
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
	if err := validWord(d.Name); err != nil {
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
	seen := map[string]bool{}
	for _, a := range s {
		switch {
		case a.Name == "" || seen[a.Name]:
			return nil, fmt.Errorf("attribute %q is unnamed or there twice", a.Name)
		case a.Type < schema.String || a.Type > schema.Strings:
			return nil, fmt.Errorf("attribute %q: type %d is not known", a.Name, a.Type)
		}
		seen[a.Name] = true
	}
	return s, nil
}

// validWord accepts what can be a URL's scheme: a letter, then letters, digits,
// '+', '-' and '.', all lower case.
func validWord(s string) error {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return fmt.Errorf("%q is not a lower-case word", s)
		}
	}
	if s == "" || len(s) > 64 {
		return fmt.Errorf("%q is empty or too long", s)
	}
	return nil
}
