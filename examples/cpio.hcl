# The tree in a cpio archive, such as an unpacked initramfs image. The driver is
# examples/rust, a WASM module that is not written in Go.

plugin "driver" "cpio" {
  source        = "cpio.driver.wasm"
  sha256        = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  start_timeout = "1m" # the first time the module is compiled

  allow {
    dir "/srv/images" {}
  }
}

mirror "rescue" {
  primary   = "cpio:///srv/images/rescue.cpio"
  secondary = "/mnt/mirror/rescue"
}
