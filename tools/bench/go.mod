module github.com/gsyncd/gsyncd-host/tools/bench

go 1.26.0

require (
	github.com/gsyncd/gsyncd-host v0.0.0
	golang.org/x/sys v0.49.0
)

replace github.com/gsyncd/gsyncd-host => ../..
