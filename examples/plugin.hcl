# A driver that somebody else wrote. The program is run only if its checksum is
# the one written here: sha256sum /opt/gsyncd/driver-s3

plugin "driver" "s3" {
  source = "/opt/gsyncd/driver-s3"
  sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  env    = ["AWS_PROFILE"]
}

mirror "pictures" {
  primary   = "/srv/pictures"
  secondary = "s3://bucket/pictures"

  # The settings in here are the plugin's own.
  driver "s3" {
    region = "eu-central-1"
  }
}
