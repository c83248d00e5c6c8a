package schema

import (
	"encoding/json"
	"fmt"
	"time"
)

// Marshal encodes values for the way to a plugin.
func (v Values) Marshal() ([]byte, error) { return json.Marshal(map[string]any(v)) }

// Unmarshal decodes what Marshal wrote, giving each value the Go type that the
// schema says, and filling in defaults. Unknown names, missing required ones
// and values of another type are errors.
func (s Schema) Unmarshal(b []byte) (Values, error) {
	raw := map[string]json.RawMessage{}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &raw); err != nil {
			return nil, fmt.Errorf("decode configuration: %w", err)
		}
	}
	out := Values{}
	for name, data := range raw {
		a := s.Attribute(name)
		if a == nil {
			return nil, fmt.Errorf("no attribute %q", name)
		}
		v, err := a.Type.decode(data)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
		out[name] = v
	}
	return s.WithDefaults(out)
}

// WithDefaults returns v with the defaults of absent attributes filled in, or
// an error for a required one that is absent. v is not changed.
func (s Schema) WithDefaults(v Values) (Values, error) {
	out := make(Values, len(s))
	for name, value := range v {
		out[name] = value
	}
	for _, a := range s {
		if _, ok := out[a.Name]; ok {
			continue
		}
		if a.Required {
			return nil, fmt.Errorf("attribute %q is required", a.Name)
		}
		if a.Default != nil {
			out[a.Name] = a.Default
		}
	}
	return out, nil
}

func (t Type) decode(data []byte) (any, error) {
	switch t {
	case String:
		return decodeAs[string](data)
	case Bool:
		return decodeAs[bool](data)
	case Count, Size, Rate:
		return decodeAs[int64](data)
	case Duration:
		return decodeAs[time.Duration](data)
	case Share:
		return decodeAs[float64](data)
	case Strings:
		return decodeAs[[]string](data)
	}
	return nil, fmt.Errorf("type %d is not known", t)
}

func decodeAs[T any](data []byte) (any, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}

// MarshalSchema and UnmarshalSchema carry a schema to the host; defaults keep
// their Go types.
func MarshalSchema(s Schema) ([]byte, error) { return json.Marshal(s) }

// UnmarshalSchema decodes what MarshalSchema wrote.
func UnmarshalSchema(b []byte) (Schema, error) {
	var s Schema
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("decode schema: %w", err)
	}
	for i := range s {
		if s[i].Default == nil {
			continue
		}
		data, err := json.Marshal(s[i].Default)
		if err != nil {
			return nil, fmt.Errorf("decode schema: %w", err)
		}
		if s[i].Default, err = s[i].Type.decode(data); err != nil {
			return nil, fmt.Errorf("default of %q: %w", s[i].Name, err)
		}
	}
	return s, nil
}
