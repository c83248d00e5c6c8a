# A tree that a web server shows, kept in a directory. The driver is examples/https,
# built as a WASM module. The requests are made by the host, which adds what is
# secret: the driver does not see it.

plugin "driver" "https" {
  source        = "https.driver.wasm"
  sha256        = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  start_timeout = "1m" # the first time the module is compiled

  allow {
    http "https://downloads.example.com/tree/" {
      header "Authorization" {
        prefix = "Bearer "
        env    = "DOWNLOADS_TOKEN"
      }
    }
  }
}

mirror "downloads" {
  primary   = "https://downloads.example.com/tree/"
  secondary = "/mnt/mirror/downloads"

  driver "https" {
    index    = "manifest" # or "listing": what the server tells of its directories
    manifest = "MANIFEST.jsonl"
    piece    = "64MiB"
  }

  schedule {
    interval = "1m" # a look is a request, also when nothing has changed
  }
}
