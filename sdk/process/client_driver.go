package process

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/schema"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// driverClient is a driver at the other end of a connection.
type driverClient struct {
	link *link
	rpc  rpcpb.DriverClient
	desc sdk.Descriptor
}

var _ sdk.Driver = (*driverClient)(nil)

func newDriverClient(conn grpc.ClientConnInterface, opts []Option) *driverClient {
	return &driverClient{link: newLink(conn, opts), rpc: rpcpb.NewDriverClient(conn)}
}

// Driver returns the driver that is served at the other end of a connection.
// What it says of itself is asked for and checked here, once.
func Driver(ctx context.Context, conn grpc.ClientConnInterface, opts ...Option) (sdk.Driver, error) {
	d := newDriverClient(conn, opts)
	var m *wirepb.DriverDescriptor
	err := d.link.call(ctx, "describe driver", d.link.timeouts.Call, func(ctx context.Context) (err error) {
		m, err = d.rpc.Describe(ctx, &wirepb.Empty{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if d.desc, err = driverFromWire(m); err != nil {
		return nil, badReply("describe driver", err)
	}
	return d, nil
}

// Describe implements [sdk.Driver].
func (d *driverClient) Describe() sdk.Descriptor { return d.desc }

// Check implements [sdk.Driver].
func (d *driverClient) Check(ctx context.Context, req sdk.OpenRequest) []schema.Diagnostic {
	m, err := openToWire(req)
	if err != nil {
		return failedCheck(err)
	}
	return d.link.check(ctx, func(ctx context.Context) (*wirepb.CheckReply, error) { return d.rpc.Check(ctx, m) })
}

// check runs a Check call, whose only way to report an error is a diagnostic.
func (l *link) check(ctx context.Context, f func(context.Context) (*wirepb.CheckReply, error)) []schema.Diagnostic {
	var reply *wirepb.CheckReply
	err := l.call(ctx, "check", l.timeouts.Call, func(ctx context.Context) (err error) {
		reply, err = f(ctx)
		return err
	})
	if err == nil && reply.Error != nil {
		err = faultFromWire(reply.Error)
	}
	if err != nil {
		return failedCheck(err)
	}
	return diagnosticsFromWire(reply.Diagnostics)
}

func failedCheck(err error) []schema.Diagnostic {
	return []schema.Diagnostic{{Summary: "the plugin could not check this: " + err.Error()}}
}

// OpenSource implements [sdk.Driver].
func (d *driverClient) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
	req.Role = sdk.Primary
	r, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	return &sourceClient{resourceClient: r}, nil
}

// OpenTarget implements [sdk.Driver].
func (d *driverClient) OpenTarget(ctx context.Context, req sdk.OpenRequest) (sdk.Target, error) {
	req.Role = sdk.Secondary
	r, err := d.open(ctx, req)
	if err != nil {
		return nil, err
	}
	return &targetClient{resourceClient: r}, nil
}

func (d *driverClient) open(ctx context.Context, req sdk.OpenRequest) (*resourceClient, error) {
	m, err := openToWire(req)
	if err != nil {
		return nil, badInput("open", err)
	}
	var reply *wirepb.OpenReply
	err = d.link.call(ctx, "open", d.link.timeouts.Work, func(ctx context.Context) (err error) {
		reply, err = d.rpc.Open(ctx, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	if fault := faultFromWire(reply.Error); fault != nil {
		return nil, fault
	}
	r := &resourceClient{link: d.link, rpc: rpcpb.NewResourceClient(d.link.conn), id: reply.Resource}
	r.info.Features = sdk.Features(reply.Features).Known()
	if r.info.Volume, err = uuidFromWire(reply.Volume); err != nil {
		return nil, errors.Join(badReply("open", err), r.Close())
	}
	if r.info.Endpoint, err = endpointFromWire(reply.Endpoint); err != nil {
		return nil, errors.Join(badReply("open", err), r.Close())
	}
	return r, nil
}
