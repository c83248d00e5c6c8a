package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads settings written "name=value", with values as in a configuration
// file but without quotes, and fills in defaults. A list is named once for each
// of its elements. Errors name the setting.
func (s Schema) Parse(settings []string) (Values, error) {
	out := Values{}
	for _, text := range settings {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value", text)
		}
		a := s.Attribute(name)
		if a == nil {
			return nil, fmt.Errorf("there is no setting %q; known are: %s", name, s.names())
		}
		if _, ok := out[name]; ok && a.Type != Strings {
			return nil, fmt.Errorf("%s is set twice", name)
		}
		v, err := a.parse(value)
		if err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		if a.Type == Strings {
			v = append(out.Strings(name), value)
		}
		out[name] = v
	}
	return s.WithDefaults(out)
}

func (s Schema) names() string {
	var names []string
	for _, a := range s {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// parse reads one value; of a list, one element. The error is for after the name.
func (a *Attribute) parse(text string) (v any, err error) {
	switch a.Type {
	case String:
		if len(a.OneOf) > 0 && !slices.Contains(a.OneOf, text) {
			return nil, fmt.Errorf("must be one of %s, not %q", strings.Join(a.OneOf, ", "), text)
		}
		return text, nil
	case Strings:
		return text, nil
	case Bool:
		switch text {
		case "true", "false":
			return text == "true", nil
		}
		err = errors.New("no truth value")
	case Count:
		v, err = strconv.ParseInt(text, 10, 64)
		if err == nil && v.(int64) < 0 {
			err = errors.New("negative")
		}
	case Duration:
		v, err = ParseDuration(text)
	case Size:
		v, err = ParseSize(text)
	case Rate:
		v, err = ParseRate(text)
	case Share:
		v, err = ParseShare(text)
	default:
		err = errors.New("unknown")
	}
	if err != nil {
		return nil, fmt.Errorf("must be %s, not %q", a.Type, text)
	}
	return v, nil
}
