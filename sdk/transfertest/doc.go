// Package transfertest is the conformance suite of transfer methods. A method
// that passes [Run] keeps what sdk.Transfer promises to the host: all of a
// file's data or an error that says why not, nothing outside the job's own
// directory, and an end.
package transfertest
