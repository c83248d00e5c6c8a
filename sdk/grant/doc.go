// Package grant is what a driver may touch beyond its own memory: directories of
// the host and origins of the web. Nothing is granted unless the configuration
// says so.
//
// The same source serves both builds. A driver that is a WASM guest reaches what
// it was granted through its runner, which has the handles; one that is a process
// reaches it itself, by the same rules. Only there the rules bind the careful
// alone: a process can do all that its user can. Who does not trust a driver runs
// it as a guest.
//
// [Given] is the set that this plugin was granted. For tests, [New] makes one.
//
//	func New(log *slog.Logger) sdk.Driver { return &driver{log: log, granted: grant.Given()} }
//
//	func (d *driver) OpenSource(ctx context.Context, req sdk.OpenRequest) (sdk.Source, error) {
//		dir, path, err := d.granted.Find(req.Address.Rest)
//		if err != nil {
//			return nil, err
//		}
//		f, err := dir.Open(ctx, path)
//		…
//
// # Directories
//
// A [Dir] is a directory by handle: what is beneath it, and nothing else. No "..",
// no symbolic link and no race leads out of it. It gives listings, descriptions
// and random reads; [Dir.Source] and [Dir.Target] are whole trees as either side
// of a mirror, with all their attributes, and by far the fastest way to many files:
// one message carries a thousand entries.
//
// # The web
//
// [Set.Do] sends a GET or HEAD to an origin that was granted. Redirects are
// followed only to granted ones. Headers that hold credentials are the
// configuration's: they are added on the way out, and a guest sees neither them
// nor cookies.
package grant
