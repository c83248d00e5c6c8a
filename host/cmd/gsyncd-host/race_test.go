//go:build race

package main

import "runtime"

// races is how many data races were seen in this process.
func races() int { return runtime.RaceErrors() }
