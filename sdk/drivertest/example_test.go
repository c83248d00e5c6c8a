package drivertest_test

import (
	"context"
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/drivertest"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// careless is a driver whose description is not what it should be.
type careless struct{}

func (careless) Describe() sdk.Descriptor {
	return sdk.Descriptor{Name: "careless", Version: "1", Schemes: []string{"other"}, Roles: []sdk.Role{sdk.Primary}}
}

func (careless) Check(context.Context, sdk.OpenRequest) []schema.Diagnostic { return nil }

func (careless) OpenSource(context.Context, sdk.OpenRequest) (sdk.Source, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open"}
}

func (careless) OpenTarget(context.Context, sdk.OpenRequest) (sdk.Target, error) {
	return nil, &sdk.Error{Kind: sdk.KindUnsupported, Op: "open"}
}

// A program checks a driver without package testing.
func ExampleReport() {
	cfg := drivertest.Config{New: func() sdk.Driver { return careless{} }}
	drivertest.Report(context.Background(), cfg, func(r drivertest.Result) {
		fmt.Println(r.Name, r.Outcome)
		fmt.Println(r.Notes[0])
	})
	// Output:
	// Describe failed
	// its name "careless" is none of its schemes ["other"]
}
