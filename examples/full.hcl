# Every setting there is, most with its default. Durations are written "300ms",
# "5s", "1h30m" or "2d"; sizes "64MiB" (powers of 1024) or "10GB" (powers of
# 1000); rates "20MiB/s"; shares "2%". Plain numbers are counts.

# A variable gets its value from --var NAME=VALUE, else from its default. The
# type is string, number or bool.
variable "target" {
  type        = string
  default     = "/mnt/mirror"
  description = "where all the mirrors lie"
}

# Settings of the program, at most one block in all files.
host {
  state_dir   = "/var/lib/gsyncd-host"
  plugin_dirs = ["/usr/local/lib/gsyncd-host"]
  log_level   = "info" # debug, info, warn, error
  log_format  = "text" # text, json
}

# How a plugin is run. This one is built in; see plugin.hcl for another.
plugin "driver" "file" {
  isolation     = "process" # or "inprocess"
  env           = ["TZ"]    # environment variables that it may see
  start_timeout = "30s"
  call_timeout  = "5m" # for what is answered at once; "1m" by default. What may take long has 15 minutes
}

mirror "home" {
  primary   = "/srv/home"
  secondary = "${var.target}/home"

  # "mirror" deletes on the secondary what the primary no longer has; "keep"
  # leaves it there.
  deletes = "mirror"

  # How files are moved: "auto" picks for each file, "stream" sends all through
  # the drivers, and any other name is a plugin's, such as "rsync".
  transfer "auto" {
    jobs      = 2      # files that move at once
    threshold = "1MiB" # from which size on only differences may be sent
  }

  # Settings for the driver of one scheme; which ones there are is its own affair:
  # "gsyncd-host plugin describe file" lists them.
  driver "file" {
    cross_mounts = false # go on below directories where another filesystem is mounted
    jobs         = 2     # directories that are listed at once
  }

  schedule {
    detector   = "auto" # by what changes are noticed: "btrfs", "fanotify", "inotify", "scan", or the first of these that works
    interval   = "1s"   # the shortest pause between two looks at the primary; by default none where events tell when to look
    idle_share = "2%"   # of one core, spent on scanning while nothing changes
    sweep      = "24h"  # the longest time between two looks at everything where events or Gluster tell where to look; "0s" is never
  }

  limits {
    rate        = "20MiB/s" # none by default
    max_deletes = 10000     # of one crawl; none by default
  }

  retry {
    min      = "1s" # the pause after the first failure
    max      = "5m" # it doubles up to this
    attempts = 0    # 0 is for ever
  }
}

# A path with a blank, once as it is and once as a URL.
mirror "papers" {
  primary   = "/srv/my papers"
  secondary = format("file://%s/my%%20papers", var.target)
  deletes   = "keep"

  transfer "rsync" {}
}
