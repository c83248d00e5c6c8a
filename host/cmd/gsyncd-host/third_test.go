package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gsyncd/gsyncd-host/plugins/file"
	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// thirdPrefix begins the names by which the test binary is a driver of somebody
// else. It is the file driver under another name, and with one fault for some
// names.
const thirdPrefix = "gsyncd-driver-"

// thirdNames are the names that tests use.
var thirdNames = []string{"good", "claims", "lies", "other", "short"}

// serveThird serves the driver if the binary is called by such a name.
func serveThird() bool {
	name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), thirdPrefix)
	if ok {
		process.ServeDriver(func(log *slog.Logger) sdk.Driver { return &third{Driver: file.New(log), name: name} })
	}
	return ok
}

type third struct {
	sdk.Driver
	name string
}

func (d *third) Describe() sdk.Descriptor {
	out := sdk.Descriptor{Name: d.name, Version: "1.2.3", Schemes: []string{d.name}, Roles: []sdk.Role{sdk.Primary},
		Schema: schema.Schema{{Name: "word", Type: schema.String, OneOf: []string{"yes", "no"}, Default: "no", Doc: "says it"}}}
	switch d.name {
	case "claims":
		out.Schemes = append(out.Schemes, "file")
	case "lies":
		out.Schema = append(out.Schema, out.Schema[0])
	case "other":
		out.Name, out.Schemes = "else", []string{"else"}
	}
	return out
}

func (d *third) asFile(req sdk.OpenRequest) sdk.OpenRequest {
	req.Address.Scheme, req.Config = "file", nil
	return req
}

func (d *third) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	return d.Driver.Check(ctx, d.asFile(req))
}

func (d *third) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	s, err := d.Driver.OpenSource(ctx, d.asFile(req))
	if d.name == "short" && err == nil {
		s = &short{s}
	}
	return s, err
}

// short describes fewer entries than it is asked for.
type short struct{ sdk.Source }

func (s *short) Stat(ctx context.Context, paths []sdk.Path, f sdk.Fields) ([]sdk.Entry, error) {
	out, err := s.Source.Stat(ctx, paths, f)
	for i := range out {
		out[i].Size /= 2
	}
	return out, err
}

// binarySum is the checksum of the test binary, by whatever name.
var binarySum = sync.OnceValues(func() (string, error) {
	f, err := os.Open(selfExec)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
})

// thirdParty puts all of somebody else's drivers into dir, and gives their checksum.
func thirdParty(dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range thirdNames {
		if err := os.Symlink(self, filepath.Join(dir, thirdPrefix+name)); err != nil {
			return "", err
		}
	}
	return binarySum()
}
