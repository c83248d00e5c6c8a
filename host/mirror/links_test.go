package mirror_test

import (
	"sync/atomic"
	"testing"

	"github.com/gsyncd/gsyncd-host/host/mirror"
	"github.com/gsyncd/gsyncd-host/sdk"
)

// TestLinkIntoAnUnlistedDirectory: while a directory cannot be listed, the names
// in it are not known, and a file that has one there looks as if it had one name.
func TestLinkIntoAnUnlistedDirectory(t *testing.T) {
	r := newRig(t)
	r.sh("mkdir -p d/sub e; echo 1 >d/sub/f; ln d/sub/f e/g")
	r.sync()
	r.sh("ln d/sub/f e/h")
	r.age() // or the next pass would look at e again by itself
	var scans atomic.Int64
	h := shorten("d", 0)
	short := h.scan
	h.scan = func(req sdk.ScanRequest, sink sdk.ScanSink, next func(sdk.ScanRequest, sdk.ScanSink) error) error {
		for _, dir := range req.Dirs {
			if dir == "d" && scans.Add(1) == 1 {
				return short(req, sink, next) // the marker's first pass alone
			}
		}
		return next(req, sink)
	}
	r.wrapSource = func(s sdk.Source) sdk.Source { return hookSource{s, h} }
	_ = r.run(mirror.Options{Once: true})
	r.wrapSource = nil
	r.sync()
	r.equal()
}
