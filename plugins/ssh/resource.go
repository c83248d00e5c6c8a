package ssh

import "github.com/gsyncd/gsyncd-host/sdk"

// source is a primary on the other machine.
type source struct {
	sdk.Source
	far *far
}

var _ sdk.Source = (*source)(nil)

// Info implements [sdk.Resource].
func (s *source) Info() sdk.Info { return fromHere(s.Source.Info()) }

// Close implements [sdk.Resource].
func (s *source) Close() error { return s.far.leave() }

// target is a secondary on the other machine.
type target struct {
	sdk.Target
	far *far
}

var _ sdk.Target = (*target)(nil)

// Info implements [sdk.Resource].
func (t *target) Info() sdk.Info {
	i := fromHere(t.Target.Info())
	if path := t.Target.Info().Endpoint; path.Local() && t.far.shell != nil {
		i.Endpoint = sdk.Endpoint{Path: path.Path, Shell: t.far.shell.words()}
	}
	return i
}

// Close implements [sdk.Resource].
func (t *target) Close() error { return t.far.leave() }

// fromHere takes away the endpoint: a path of the other machine is none here,
// so data goes through the driver.
func fromHere(i sdk.Info) sdk.Info {
	i.Endpoint = sdk.Endpoint{}
	return i
}

// leave closes the connection, which was the resource's own. The agent closes
// what is open before it ends, and its end is waited for: asking for it first
// would be a round trip more.
func (f *far) leave() error {
	f.close()
	return nil
}
