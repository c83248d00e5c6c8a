# The four mirrors of the classic gsyncd. The short forms are URLs: ":pop" is
# gluster://localhost:pop, and "far.example.com::moz" the volume moz as that
# machine knows it, reached through ssh. See docs/gluster.md.

mirror "disk" {
  primary   = ":pop"
  secondary = "/data/mirror"

  driver "gluster" {
    index = "require" # or "enable": turn the volume's index on where it is off
  }
}

mirror "volume" {
  primary   = ":pop"
  secondary = ":yow"
}

mirror "far-disk" {
  primary   = ":pop"
  secondary = "far.example.com:/data/far_mirror"
}

mirror "far-volume" {
  primary   = ":pop"
  secondary = "far.example.com::moz"
}
