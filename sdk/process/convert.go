package process

import (
	"errors"
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// small converts a number that fits a byte, or says that it does not.
func small[T ~uint8](what string, n uint32) (T, error) {
	if n > math.MaxUint8 {
		return 0, fmt.Errorf("%s %d is not known", what, n)
	}
	return T(n), nil
}

func pathsToWire(paths []sdk.Path) [][]byte {
	out := make([][]byte, len(paths))
	for i, p := range paths {
		out[i] = []byte(p)
	}
	return out
}

func pathsFromWire(raw [][]byte) ([]sdk.Path, error) {
	if len(raw) > sdk.MaxBatch {
		return nil, fmt.Errorf("%d paths in one message, more than %d", len(raw), sdk.MaxBatch)
	}
	out := make([]sdk.Path, len(raw))
	for i, b := range raw {
		out[i] = sdk.Path(b)
		if err := out[i].Validate(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func diagnosticsToWire(in []schema.Diagnostic) []*wirepb.Diagnostic {
	out := make([]*wirepb.Diagnostic, 0, min(len(in), sdk.MaxBatch))
	for _, d := range in[:min(len(in), sdk.MaxBatch)] {
		out = append(out, &wirepb.Diagnostic{Warning: d.Warning, Attribute: cut(d.Attribute), Summary: cut(d.Summary), Detail: cut(d.Detail), Ask: cut(d.Ask)})
	}
	return out
}

func diagnosticsFromWire(in []*wirepb.Diagnostic) []schema.Diagnostic {
	var out []schema.Diagnostic
	for _, d := range in {
		out = append(out, schema.Diagnostic{Warning: d.Warning, Attribute: string(d.Attribute), Summary: string(d.Summary), Detail: string(d.Detail), Ask: string(d.Ask)})
	}
	return out
}

func endpointToWire(e sdk.Endpoint) *wirepb.Endpoint {
	out := &wirepb.Endpoint{Path: []byte(e.Path)}
	for _, s := range e.Shell {
		out.Shell = append(out.Shell, []byte(s))
	}
	return out
}

func endpointFromWire(m *wirepb.Endpoint) (sdk.Endpoint, error) {
	e := sdk.Endpoint{Path: string(m.GetPath())}
	for _, s := range m.GetShell() {
		e.Shell = append(e.Shell, string(s))
	}
	switch {
	case e.Path == "" && len(e.Shell) > 0:
		return e, errors.New("endpoint with a shell but without a path")
	case e.Path != "" && (!path.IsAbs(e.Path) || strings.IndexByte(e.Path, 0) >= 0):
		return e, fmt.Errorf("endpoint %q is not an absolute path", e.Path)
	}
	for _, s := range e.Shell {
		if strings.IndexByte(s, 0) >= 0 {
			return e, errors.New("NUL in an endpoint's shell command")
		}
	}
	return e, nil
}

func openToWire(req sdk.OpenRequest) (*wirepb.OpenRequest, error) {
	config, err := req.Config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return &wirepb.OpenRequest{
		Scheme: []byte(req.Address.Scheme), Rest: []byte(req.Address.Rest),
		Role: uint32(req.Role), Config: config, MarkKey: []byte(req.MarkKey), Volume: uuidToWire(req.Volume),
	}, nil
}

func openFromWire(m *wirepb.OpenRequest, d sdk.Descriptor) (sdk.OpenRequest, error) {
	role, err := small[sdk.Role]("role", m.Role)
	if err != nil {
		return sdk.OpenRequest{}, err
	}
	req := sdk.OpenRequest{Address: sdk.Address{Scheme: string(m.Scheme), Rest: string(m.Rest)}, Role: role, MarkKey: string(m.MarkKey)}
	if role != sdk.Primary && role != sdk.Secondary {
		return req, fmt.Errorf("role %d is not known", m.Role)
	}
	if strings.IndexByte(req.Address.Rest, 0) >= 0 {
		return req, errors.New("NUL in the address")
	}
	if !wire.ValidMarkKey(req.MarkKey) {
		return req, fmt.Errorf("mark key %q", req.MarkKey)
	}
	if req.Volume, err = uuidFromWire(m.Volume); err != nil {
		return req, err
	}
	req.Config, err = d.Schema.Unmarshal(m.Config)
	return req, err
}
