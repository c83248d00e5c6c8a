// Package drivertest proves a driver: that it does what package sdk says of
// sdk.Driver, sdk.Source and sdk.Target, in the same process and as a process of
// its own.
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, drivertest.Config{
//			New:     func() sdk.Driver { return mydriver.New() },
//			NewTree: func(t *testing.T) drivertest.Tree { … },
//		})
//	}
//
// The suite prepares and checks trees through the file system of this machine,
// so a driver needs a way to have its resource there. What the resource cannot
// do, by its Features, is left out, and the log says so.
package drivertest
