// Package drivertest proves a driver: that it does what package sdk says of
// sdk.Driver, sdk.Source and sdk.Target, in the same process and as a process of
// its own.
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, drivertest.Config{
//			New:     func() sdk.Driver { return mydriver.New() },
//			NewTree: func(t drivertest.T) drivertest.Tree { … },
//		})
//	}
//
// There are three kinds of resources, and one field of [Config] for each. Where
// the resource is also a directory of this machine, NewTree makes empty ones, which
// the suite fills and looks at by the operating system: all checks are made. Where
// a resource can be made of a directory, such as an archive, Build does that, and the
// checks are those of reading. Existing names a resource that is there already: the
// checks hold its answers against each other. What a resource cannot do, by its
// Features, is left out, and the log says so.
//
// [Report] makes the checks outside of a test. It is what the command
// "gsyncd-host plugin check" does.
package drivertest
