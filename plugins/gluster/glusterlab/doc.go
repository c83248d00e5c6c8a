// Package glusterlab runs a Gluster of a test's own: one glusterd on a
// loopback address nobody else uses, volumes of one to three bricks, and
// mounts of them. It is for tests; nothing else imports it.
//
//	lab := glusterlab.New(t, glusterlab.Options{})
//	vol := lab.Volume(t, "pop", glusterlab.Dist2)
//	vol.Index(t, true)
//	dir, aux := vol.Mount(t), vol.MountAux(t)
//
// A [Lab] is a directory and an address. Everything it starts names that
// directory in its command line, and only such processes are ever ended. The
// owner holds an abstract unix socket named after the address: the kernel
// lets go of it when the owner ends in whatever way, so a lab whose socket is
// free has lost its owner, and the next lab clears it away.
//
// A [Shared] lab serves all tests of a package: the lab starts once, volumes
// and mounts still end with the test that asked for them.
//
// It needs root, /dev/fuse, and the programs of the Debian packages
// glusterfs-server and glusterfs-client; without them tests fail and say so.
// Methods that take a [testing.TB] end the test on an error, and so belong in
// the test's own goroutine.
package glusterlab
