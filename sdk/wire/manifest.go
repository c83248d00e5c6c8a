package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// ABI is the version of the border between a guest and its runner.
const ABI = 1

// manifest is a descriptor as JSON, which a guest in any language can write.
type manifest struct {
	ABI     int         `json:"abi"`
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Schemes []string    `json:"schemes"`
	Roles   []string    `json:"roles"`
	Native  bool        `json:"native,omitempty"`
	Schema  []attribute `json:"schema,omitempty"`
}

type attribute struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Required bool            `json:"required,omitempty"`
	Default  json.RawMessage `json:"default,omitempty"`
	OneOf    []string        `json:"one_of,omitempty"`
	Secret   bool            `json:"secret,omitempty"`
	Doc      string          `json:"doc,omitempty"`
}

var typeNames = []string{"", "string", "bool", "count", "duration", "size", "rate", "share", "strings"}

// AppendManifest appends a guest's description of itself.
func AppendManifest(b []byte, d sdk.Descriptor) ([]byte, error) {
	m := manifest{ABI: ABI, Name: d.Name, Version: d.Version, Schemes: d.Schemes, Native: d.Native}
	for _, r := range d.Roles {
		m.Roles = append(m.Roles, r.String())
	}
	for _, a := range d.Schema {
		if int(a.Type) >= len(typeNames) {
			return b, fmt.Errorf("attribute %q: type %d is not known", a.Name, a.Type)
		}
		out := attribute{Name: a.Name, Type: typeNames[a.Type], Required: a.Required, OneOf: a.OneOf, Secret: a.Secret, Doc: a.Doc}
		if a.Default != nil {
			var err error
			if out.Default, err = json.Marshal(a.Default); err != nil {
				return b, fmt.Errorf("default of %q: %w", a.Name, err)
			}
		}
		m.Schema = append(m.Schema, out)
	}
	text, err := json.Marshal(m)
	return append(b, text...), err
}

// MaxManifest is the longest description, in bytes.
const MaxManifest = 1 << 20

// DecodeManifest decodes what AppendManifest wrote, and checks it.
func DecodeManifest(text []byte) (sdk.Descriptor, error) {
	var m manifest
	if len(text) > MaxManifest {
		return sdk.Descriptor{}, fmt.Errorf("manifest of %d bytes", len(text))
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return sdk.Descriptor{}, fmt.Errorf("decode manifest: %w", err)
	}
	d := sdk.Descriptor{Name: m.Name, Version: clip(m.Version), Schemes: m.Schemes, Native: m.Native}
	if m.ABI != ABI {
		return d, fmt.Errorf("it is for ABI version %d, and this program has version %d", m.ABI, ABI)
	}
	for _, r := range m.Roles {
		switch r {
		case sdk.Primary.String():
			d.Roles = append(d.Roles, sdk.Primary)
		case sdk.Secondary.String():
			d.Roles = append(d.Roles, sdk.Secondary)
		default:
			return d, fmt.Errorf("role %.20q is not known", r)
		}
	}
	for i := range m.Schema {
		a, err := m.Schema[i].decode()
		if err != nil {
			return d, fmt.Errorf("attribute %.64q: %w", m.Schema[i].Name, err)
		}
		d.Schema = append(d.Schema, a)
	}
	return d, CheckDescriptor(&d)
}

func (a *attribute) decode() (schema.Attribute, error) {
	t := slices.Index(typeNames, a.Type)
	out := schema.Attribute{Name: a.Name, Type: schema.Type(t), Required: a.Required, OneOf: a.OneOf, Secret: a.Secret, Doc: a.Doc}
	if t < 1 {
		return out, fmt.Errorf("type %.20q is not known", a.Type)
	}
	if len(a.Default) == 0 {
		return out, nil
	}
	// The schema knows how to decode a value of the type; the name does not matter.
	v, err := schema.Schema{{Name: "v", Type: out.Type}}.Unmarshal(slices.Concat([]byte(`{"v":`), a.Default, []byte("}")))
	out.Default = v["v"]
	return out, err
}

// CheckDescriptor checks what a driver says of itself.
func CheckDescriptor(d *sdk.Descriptor) error {
	if err := CheckWord(d.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if len(d.Schemes) == 0 {
		return errors.New("no scheme")
	}
	for _, s := range d.Schemes {
		if err := CheckWord(s); err != nil {
			return fmt.Errorf("scheme: %w", err)
		}
	}
	return CheckSchema(d.Schema)
}

// CheckSchema checks what a plugin says of its settings.
func CheckSchema(s schema.Schema) error {
	seen := map[string]bool{}
	for _, a := range s {
		switch {
		case a.Name == "" || seen[a.Name]:
			return fmt.Errorf("attribute %q is unnamed or there twice", a.Name)
		case a.Type < schema.String || a.Type > schema.Strings:
			return fmt.Errorf("attribute %q: type %d is not known", a.Name, a.Type)
		}
		seen[a.Name] = true
	}
	return nil
}

// CheckWord accepts what can be a URL's scheme: a letter, then letters, digits, '+',
// '-' and '.', all lower case.
func CheckWord(s string) error {
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
