// Package resume is a reliable stream of bytes that survives the connections
// under it.
//
// Both ends have a [Stream]. What one end writes, the other reads, once and in
// order, whatever connections come and go. Each end keeps a copy of what the
// other has not yet read, up to [Buffer]; more makes Write wait. A connection
// that ends without the stream's end, or on which nothing is heard for the
// silence limit, is dropped. The stream then waits for the next one, until the
// window is over: that time counts from the last sign of life, so that it also
// bounds how long a caller waits in all. One end, the client, makes new
// connections ([Options].Dial); the other is given them ([Stream.Attach]).
//
// On a connection go frames: a type (1 byte), the payload's length (4 bytes, big
// endian), the payload.
//
//	1 hello  how many bytes this end has received (8 bytes); the first frame
//	         each way, and only that
//	2 data   1 to 65536 bytes; on a connection that is not the first they begin
//	         where the other end's hello says
//	3 ack    how many bytes the reader of this end has taken (8 bytes)
//	4 ping   asks for a pong; empty
//	5 pong   empty
//	6 close  the stream ends after what was sent; empty
//
// A frame that breaks these rules, a count that goes backwards, and one beyond
// what was sent end the stream.
package resume
