# A driver that is not built in: the one in examples/driver, made with
# "go build -o /usr/local/lib/gsyncd-host/only ./examples/driver". The program is
# run only if its checksum is the one written here, as sha256sum prints it.

plugin "driver" "only" {
  source = "/usr/local/lib/gsyncd-host/only"
  sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  env    = ["TZ"] # variables of the host's environment that it may see
}

mirror "pictures" {
  primary   = "only:///srv/home"
  secondary = "/mnt/mirror/pictures"

  # The settings in here are the plugin's own.
  driver "only" {
    suffixes = [".jpg", ".raw"]
  }
}
