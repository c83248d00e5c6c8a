package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// AppendOpen appends a request to open or to check something.
func AppendOpen(b []byte, req *sdk.OpenRequest) ([]byte, error) {
	for _, s := range []string{req.Address.Scheme, req.Address.Rest, req.MarkKey} {
		if len(s) > math.MaxUint16 {
			return b, fmt.Errorf("text of %d bytes is too long", len(s))
		}
	}
	b = append(b, byte(req.Role))
	b = AppendStr(b, req.Address.Scheme)
	b = AppendStr(b, req.Address.Rest)
	b = AppendStr(b, req.MarkKey)
	b = append(b, req.Volume[:]...)
	return appendValues(b, req.Config)
}

// DecodeOpen decodes what AppendOpen wrote and checks it.
func DecodeOpen(b []byte) (sdk.OpenRequest, error) {
	c := Cursor{b: b}
	req := sdk.OpenRequest{Role: sdk.Role(c.U8())}
	req.Address.Scheme, req.Address.Rest, req.MarkKey = string(c.Str()), string(c.Str()), string(c.Str())
	copy(req.Volume[:], c.Take(len(req.Volume)))
	var err error
	if req.Config, err = c.values(); err != nil {
		return req, err
	}
	switch {
	case req.Role != sdk.Primary && req.Role != sdk.Secondary:
		return req, fmt.Errorf("role %d is not known", req.Role)
	case strings.IndexByte(req.Address.Rest, 0) >= 0:
		return req, errors.New("NUL in the address")
	case !ValidMarkKey(req.MarkKey):
		return req, fmt.Errorf("mark key %q", req.MarkKey)
	}
	return req, c.Done()
}

// appendValues appends settings, sorted by name. Counts, sizes and rates are all
// numbers.
func appendValues(b []byte, v schema.Values) ([]byte, error) {
	le := binary.LittleEndian
	if len(v) > math.MaxUint16 {
		return b, fmt.Errorf("%d settings", len(v))
	}
	b = le.AppendUint16(b, uint16(len(v)))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if len(name) > math.MaxUint16 {
			return b, errors.New("the name of a setting is too long")
		}
		b = AppendStr(b, name)
		switch x := v[name].(type) {
		case string:
			b = AppendBytes(append(b, byte(schema.String)), []byte(x))
		case bool:
			b = append(b, byte(schema.Bool), 0)
			if x {
				b[len(b)-1] = 1
			}
		case int64:
			b = le.AppendUint64(append(b, byte(schema.Count)), uint64(x))
		case time.Duration:
			b = le.AppendUint64(append(b, byte(schema.Duration)), uint64(x))
		case float64:
			b = le.AppendUint64(append(b, byte(schema.Share)), math.Float64bits(x))
		case []string:
			b = le.AppendUint32(append(b, byte(schema.Strings)), uint32(len(x)))
			for _, s := range x {
				b = AppendBytes(b, []byte(s))
			}
		default:
			return b, fmt.Errorf("setting %q is a %T", name, x)
		}
	}
	return b, nil
}

func (c *Cursor) values() (schema.Values, error) {
	n := c.count(int(c.U16()), 4)
	out := make(schema.Values, n)
	for range n {
		name := string(c.Str())
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("setting %q twice", name)
		}
		switch t := schema.Type(c.U8()); t {
		case schema.String:
			out[name] = string(c.Bytes())
		case schema.Bool:
			out[name] = c.U8() != 0
		case schema.Count:
			out[name] = int64(c.U64())
		case schema.Duration:
			out[name] = time.Duration(c.U64())
		case schema.Share:
			out[name] = math.Float64frombits(c.U64())
		case schema.Strings:
			list := make([]string, c.count(int(c.U32()), 4))
			for i := range list {
				list[i] = string(c.Bytes())
			}
			out[name] = list
		default:
			if !c.bad {
				return nil, fmt.Errorf("setting %q: type %d is not known", name, t)
			}
		}
	}
	return out, nil
}

// maxDiagnostics is the most complaints of one check.
const maxDiagnostics = sdk.MaxBatch

// AppendDiagnostics appends a check's complaints; what is too long is cut.
func AppendDiagnostics(b []byte, list []schema.Diagnostic) []byte {
	list = list[:min(len(list), maxDiagnostics)]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(list)))
	for _, d := range list {
		warning := byte(0)
		if d.Warning {
			warning = 1
		}
		b = append(b, warning)
		for _, s := range []string{d.Attribute, d.Summary, d.Detail, d.Ask} {
			b = AppendStr(b, clip(s))
		}
	}
	return b
}

// DecodeDiagnostics decodes what AppendDiagnostics wrote.
func DecodeDiagnostics(b []byte) ([]schema.Diagnostic, error) {
	c := Cursor{b: b}
	n := c.count(int(c.U16()), 9)
	if n > maxDiagnostics {
		return nil, fmt.Errorf("%d diagnostics", n)
	}
	var out []schema.Diagnostic
	for range n {
		out = append(out, schema.Diagnostic{
			Warning: c.U8() != 0, Attribute: clip(string(c.Str())), Summary: clip(string(c.Str())), Detail: clip(string(c.Str())), Ask: clip(string(c.Str())),
		})
	}
	return out, c.Done()
}

// AppendInfo appends what a resource found when it was opened, but for its
// endpoint, which means nothing across this border.
func AppendInfo(b []byte, i sdk.Info) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(i.Features))
	return append(b, i.Volume[:]...)
}

// DecodeInfo decodes what AppendInfo wrote. Features that are not known are
// dropped.
func DecodeInfo(b []byte) (sdk.Info, error) {
	c := Cursor{b: b}
	i := sdk.Info{Features: sdk.Features(c.U32()).Known()}
	copy(i.Volume[:], c.Take(len(i.Volume)))
	return i, c.Done()
}
