// Package cli is what people type: the commands, and the renderers of what they
// print. All that it takes from outside comes in an [Env].
package cli
