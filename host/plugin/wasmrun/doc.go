// Package wasmrun runs a driver that is a WASM module. The host starts it as a
// process, as any plugin; inside, the guest has memory of its own and reaches
// nothing but what it was granted.
//
// What a guest can do wrong ends with itself: it has a bound on memory and on the
// time of each answer, all that it says is checked as what comes from a process is,
// and an instance that failed in any way is never used again. The next call gets a
// new one.
//
// An open resource has an instance of its own, since what is open is state in its
// memory, and an instance does one thing at a time: messages of concurrent calls
// take turns in it. A source, which may be opened many times, gets further instances
// when it is busy.
package wasmrun
