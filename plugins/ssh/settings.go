package ssh

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// The settings' names.
const (
	attrKnownHosts     = "known_hosts"
	attrHostKey        = "host_key"
	attrIdentityFile   = "identity_file"
	attrPassphrase     = "passphrase"
	attrPort           = "port"
	attrRemoteAgent    = "remote_agent"
	attrRemoteOptions  = "remote_options"
	attrRemoteSettings = "remote_settings"
	attrCompress       = "compress"
	attrDeploy         = "deploy"
	attrConnectTimeout = "connect_timeout"
	attrKeepalive      = "keepalive"
)

const (
	defaultAgent   = "gsyncd-host"
	defaultTimeout = 15 * time.Second
	// defaultKeepalive is in the middle of what hurts: a busy link is not given
	// up, and a dead one does not hold a mirror for long.
	defaultKeepalive = 60 * time.Second
	minKeepalive     = 2 * time.Second
)

func settingsSchema() schema.Schema {
	return schema.Schema{
		{Name: attrKnownHosts, Type: schema.String, Doc: "File with the keys of known hosts, instead of those that ssh's configuration names."},
		{Name: attrHostKey, Type: schema.String, Doc: "The one key that the host may show: its fingerprint SHA256:…, or the line of its public key file."},
		{Name: attrIdentityFile, Type: schema.String, Doc: "Private key to log in with, instead of those that ssh's configuration names."},
		{Name: attrPassphrase, Type: schema.String, Secret: true, Doc: "Passphrase of the private key, where the ssh agent does not hold the key and nobody is there to be asked."},
		{Name: attrPort, Type: schema.Count, Doc: "Port of the ssh server."},
		{Name: attrRemoteAgent, Type: schema.String, Doc: "How the far shell starts gsyncd-host; gsyncd-host if not set. If set, nothing is put there."},
		{Name: attrDeploy, Type: schema.Bool, Default: true, Doc: "Put this gsyncd-host into the login's cache directory where there is none that matches."},
		{Name: attrRemoteOptions, Type: schema.Strings, Doc: "More options for the far gsyncd-host agent."},
		{Name: attrRemoteSettings, Type: schema.Strings, Doc: "Settings of the driver that opens the tree there, as name=value."},
		{Name: attrCompress, Type: schema.Bool, Default: false, Doc: "Compress what goes through the connection."},
		{Name: attrConnectTimeout, Type: schema.Duration, Doc: "How long connecting, and starting the agent, may take each; 15s if ssh's configuration does not say."},
		{Name: attrKeepalive, Type: schema.Duration, Doc: "After how long without a sign of life the other side is given up, if it is not more than 45s; 60s if ssh's configuration does not say."},
	}
}

// checkSettings looks at each setting alone.
func checkSettings(v schema.Values) []schema.Diagnostic {
	var out []schema.Diagnostic
	bad := func(name, summary, detail string) {
		out = append(out, schema.Diagnostic{Attribute: name, Summary: summary, Detail: detail})
	}
	if _, ok := v[attrPort]; ok && (v.Int(attrPort) < 1 || v.Int(attrPort) > 65535) {
		bad(attrPort, "port must be 1 to 65535", "The port of ssh is 22 where nobody chose another.")
	}
	if _, ok := v[attrConnectTimeout]; ok && v.Duration(attrConnectTimeout) <= 0 {
		bad(attrConnectTimeout, "connect_timeout must be longer than nothing", `Write a duration such as "15s".`)
	}
	if _, ok := v[attrKeepalive]; ok && v.Duration(attrKeepalive) < minKeepalive {
		bad(attrKeepalive, "keepalive must be at least 2s", `Write a duration such as "60s".`)
	}
	if s := v.String(attrHostKey); s != "" {
		if _, err := parsePin(s); err != nil {
			bad(attrHostKey, "host_key is neither a fingerprint nor a public key", `Write what "ssh-keygen -lf KEY.pub" prints from SHA256: on, or the line of the host's public key file.`)
		}
	}
	return out
}
