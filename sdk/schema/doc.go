// Package schema describes a plugin's configuration as data, so that the host
// can check a configuration file against it and point at the line.
//
// A [Schema] lists the attributes of the plugin's block. The host decodes the
// block by it: a plugin gets [Values] that have the right types and no unknown
// names, with the defaults filled in. What only the plugin can know, whether a
// number is too large, whether a program is there, it answers to a check with
// a [Diagnostic], which the host shows at the attribute's line.
package schema
