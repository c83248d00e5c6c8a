// Package serve makes a program a plugin. The same main serves both builds:
//
//	func main() { serve.Driver(mydriver.New) }
//
// Built as usual the program is a plugin process. Built as a WASM module it is a
// guest, which the host runs confined:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o my.driver.wasm
//
// A guest needs the standard library only. It has one thread: its methods are
// called one after another, though the streams of several may be open at once.
package serve
