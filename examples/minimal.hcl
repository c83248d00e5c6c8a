# The least that can be declared: one mirror, all else by default.
# Run it with: gsyncd-host run -c examples/minimal.hcl

mirror "data" {
  primary   = "/srv/data"
  secondary = "/mnt/mirror/data"
}
