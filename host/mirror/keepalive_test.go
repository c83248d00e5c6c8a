package mirror_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestVolumeMarkOutlastsALongTurn: while a turn hangs for five minutes the
// secondary's volume mark never expires, though now and then it cannot be renewed.
func TestVolumeMarkOutlastsALongTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVolume(newRig(t))
		v.log = quietLog()
		v.sh(nativeTree)
		began := time.Now()
		waited, tries := false, 0
		v.aroundTarget(&hooks{apply: func(ops []sdk.Op, next func([]sdk.Op) ([]sdk.OpResult, error)) ([]sdk.OpResult, error) {
			for i := range ops {
				switch ops[i].Kind {
				case sdk.OpSetVolumeMark:
					if tries++; tries%3 == 0 {
						return nil, errors.New("injected")
					}
				case sdk.OpSync:
					if !waited {
						waited = true
						<-time.After(5 * time.Minute)
					}
				}
			}
			return next(ops)
		}, sync: func(next func() error) error {
			if !waited {
				waited = true
				<-time.After(5 * time.Minute)
			}
			return next()
		}})
		if err := v.runContext(t.Context(), mirror.Options{Once: true}); err != nil {
			t.Fatal(err)
		}
		v.equal()
		if took := time.Since(began); took < 5*time.Minute || len(v.marks) < 5 {
			t.Fatalf("%d volume marks in %s", len(v.marks), took)
		}
		for i, m := range v.marks[1:] {
			if before := v.marks[i].Until; m.Volume != volumeID || m.Until.Sec-before.Sec > 60 {
				t.Errorf("%d: until %v, then until %v", i+1, before, m.Until)
			}
		}
	})
}
