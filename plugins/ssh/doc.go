// Package ssh is the driver for trees on other machines: ssh://[user@]host:URL.
//
// It speaks ssh itself, logs in as the user's ssh would (configuration, keys,
// agent, known hosts), and starts gsyncd-host there as an agent, which serves
// the tree at URL with its own drivers. One connection belongs to each open
// resource. If it is lost, or silent for too long, another one is made, and calls
// wait meanwhile. Where that cannot be, or takes too long, they fail with
// sdk.KindGone and the resource is of no more use.
//
// What of OpenSSH's configuration is understood: Host, Include, HostName, User,
// Port, IdentityFile, CertificateFile, IdentitiesOnly, IdentityAgent, ProxyJump,
// UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias, StrictHostKeyChecking,
// ConnectTimeout, ServerAliveInterval and ServerAliveCountMax. Match is not, but
// for "Match all", and a warning says so; ProxyCommand is an error. Other
// keywords have no effect.
package ssh
