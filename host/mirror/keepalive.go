package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// volumeMarkHolds is how long a volume mark on the secondary holds: a while
	// after the mirror has ended, so that a restart is not taken for an end.
	volumeMarkHolds = 2 * time.Minute
	// volumeMarkEvery is how often it is renewed, and volumeMarkRetry how soon
	// after a failure.
	volumeMarkEvery = 45 * time.Second
	volumeMarkRetry = 10 * time.Second
)

// keepAlive lets the secondary's root say whose mirror it is, for as long as the
// mirror runs: whoever mirrors that secondary further then goes by the native
// xtimes of the volume at the beginning of the chain, since what a mirror writes
// marks nothing. A secondary that does not carry these says nothing. It goes on during a turn of any length. The returned function
// ends it. Failures never stop the mirror.
func (m *Mirror) keepAlive(ctx context.Context) func() {
	if !m.native || m.Target.Info().Features&sdk.KeepsVolumeMark == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		failing := false
		for {
			wait := volumeMarkEvery
			err := m.renewVolumeMark(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				wait = volumeMarkRetry
				if !failing {
					m.Logger.Warn("the volume mark on the secondary was not renewed; who mirrors it further waits or stops meanwhile", "error", err)
				}
			case failing:
				m.Logger.Info("the volume mark on the secondary is renewed again")
			}
			failing = err != nil
			if sleep(ctx, wait) != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// renewVolumeMark does it once, for as long as it takes until the next is due.
func (m *Mirror) renewVolumeMark(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, volumeMarkEvery)
	defer cancel()
	beacon, err := m.Source.Beacon(ctx)
	if err != nil {
		return fmt.Errorf("read the primary's volume mark: %w", err)
	}
	mark := beacon.Index
	if mark.IsZero() {
		return nil // nothing to say
	}
	until := m.Clock().Add(volumeMarkHolds)
	mark.Until = sdk.Time{Sec: until.Unix(), Nsec: uint32(until.Nanosecond())}
	results, err := m.apply(ctx, []sdk.Op{{Kind: sdk.OpSetVolumeMark, Path: sdk.Root, VolumeMark: mark}})
	if err == nil && results[0].Err != nil {
		err = results[0].Err
	}
	return err
}
