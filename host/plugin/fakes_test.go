package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/grant"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// stub is a driver whose only resource tells about its process.
type stub struct {
	log  *slog.Logger
	name string
}

func newMem(log *slog.Logger) sdk.Driver { return &stub{log: log, name: "mem"} }

func (s *stub) Describe() sdk.Descriptor {
	return sdk.Descriptor{Name: s.name, Version: "1", Schemes: []string{s.name}, Roles: []sdk.Role{sdk.Primary}}
}

func (s *stub) Check(context.Context, sdk.OpenRequest) []schema.Diagnostic { return nil }

func (s *stub) OpenSource(_ context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	s.log.Warn("opened", "what", req.Address.Rest)
	return &tell{}, nil
}

func (s *stub) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open"}
}

// tell is a source that knows its environment and no files.
type tell struct{}

func (*tell) Info() sdk.Info { return sdk.Info{} }
func (*tell) Identity(context.Context) (sdk.Identity, error) {
	said := os.Environ()
	dirs, err := grant.Given().Dirs()
	for _, d := range dirs {
		said = append(said, fmt.Sprint("granted ", d.Path(), " ", d.Writable()))
	}
	return sdk.Identity{Filesystem: strings.Join(said, "\n")}, err
}
func (*tell) Scan(context.Context, sdk.ScanRequest, sdk.ScanSink) error { return nil }
func (*tell) Stat(context.Context, []sdk.Path, sdk.Fields) ([]sdk.Entry, error) {
	return nil, nil
}
func (*tell) Close() error                                         { return nil }
func (*tell) Beacon(context.Context) (sdk.Beacon, error)           { return sdk.Beacon{}, nil }
func (*tell) Read(context.Context, []sdk.Path, sdk.ReadSink) error { return nil }

type shift struct{}

func newShift(*slog.Logger) sdk.Transfer { return shift{} }

func (shift) Describe() sdk.TransferDescriptor                         { return sdk.TransferDescriptor{Name: "shift"} }
func (shift) Check(context.Context, schema.Values) []schema.Diagnostic { return nil }
func (shift) Run(context.Context, sdk.Job, []sdk.File, func(sdk.FileResult), func(int64)) error {
	return nil
}
