# A mirror on another machine, which needs sshd and gsyncd-host and nothing
# else. What is left out comes from ~/.ssh/config. See docs/remote.md.

mirror "offsite" {
  primary   = "/srv/data"
  secondary = "backup@far.example.com:/srv/mirror/data"

  driver "ssh" {
    identity_file = "~/.ssh/id_ed25519"
    keepalive     = "60s"
  }
}
