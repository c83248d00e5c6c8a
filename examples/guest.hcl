# A driver that is a WASM module. It runs confined: it reaches what its allow
# block names, and nothing else. The module is run only if its checksum is the one
# written here; "gsyncd-host plugin install" prints it.

plugin "driver" "zip" {
  source  = "zip.driver.wasm" # a file of a plugin directory; with a slash, a path
  sha256  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  trusted = false # true: it runs faster, and cannot be stopped when it hangs

  limits {
    memory       = "64MiB" # for each of its instances
    call_timeout = "30s"   # for one answer: a batch of rows, a piece of a file
  }

  # Nothing is allowed by default.
  allow {
    dir "/srv/archives" {
      write = false
    }

    # GET and HEAD to this origin, below this path. The driver does not see what the
    # headers hold.
    http "https://archives.example.com/zip/" {
      ca_file = "/etc/gsyncd-host/archives-ca.pem"

      header "Authorization" {
        prefix = "Bearer "
        env    = "ARCHIVES_TOKEN" # or file = "/path", or value = "…"
      }
    }
  }
}

mirror "archive" {
  primary   = "zip:///srv/archives/2026.zip"
  secondary = "/mnt/mirror/2026"
}
