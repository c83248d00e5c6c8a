# The tree in a zip or tar archive, kept in a directory: each time the archive is
# replaced, what changed in it is brought over. The driver is examples/zip, built as
# a WASM module, which reads the one directory and nothing else.

plugin "driver" "zip" {
  source        = "zip.driver.wasm"
  sha256        = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  start_timeout = "1m" # the first time the module is compiled

  limits {
    memory       = "512MiB" # about 1 KiB for each entry of an archive
    call_timeout = "10m"    # long enough to unpack a whole .tar.gz once
  }

  allow {
    dir "/srv/export" {}
  }
}

mirror "export" {
  primary   = "zip:///srv/export/nightly.zip"
  secondary = "/mnt/mirror/export"

  driver "zip" {
    max_entries = 1000000 # an archive that holds more is not served
    max_bytes   = "1TiB"
    cache       = "64MiB" # memory for small files of a .tar.gz that come before their turn
  }
}
