package process

import (
	"bytes"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	protobuf "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/runtime/protoiface"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// codec writes and reads what gRPC's own codec does. With messages full of file
// data that one spends most of its time on clearing buffers of a megabyte which
// are filled at once, and on copying each piece of data out of a message into
// memory of its own. This one clears nothing, and what it decodes shares the one
// piece of memory that was made for the message. It refuses messages that would
// take much more memory than they are long. It may be used concurrently.
type codec struct{}

var _ encoding.CodecV2 = codec{}

func withCodec() grpc.CallOption { return grpc.ForceCodecV2(codec{}) }

// Name implements [encoding.CodecV2].
func (codec) Name() string { return proto.Name }

// Marshal implements [encoding.CodecV2].
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	if s, ok := v.(*sealed); ok {
		return s.data, nil
	}
	m, ok := v.(protobuf.Message)
	if !ok {
		return nil, fmt.Errorf("encode %T: not a message", v)
	}
	var pool mem.BufferPool = mem.DefaultBufferPool()
	size := protobuf.Size(m)
	if size > pooledAbove {
		pool = filePool{}
	}
	buf := pool.Get(size)
	if _, err := (protobuf.MarshalOptions{UseCachedSize: true}).MarshalAppend((*buf)[:0], m); err != nil {
		pool.Put(buf)
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if s, ok := v.(*sealed); ok {
		data.Ref() // until it is sent
		s.data = data
		return nil
	}
	m, ok := v.(protobuf.Message)
	if !ok {
		return fmt.Errorf("decode %T: not a message", v)
	}
	parts := make([][]byte, len(data))
	for i, part := range data {
		parts[i] = part.ReadOnlyData()
	}
	buf, message := bytes.Join(parts, nil), m.ProtoReflect()
	if len(buf) > maxElements && countElements(buf, message.Descriptor(), maxElements) < 0 {
		return fmt.Errorf("decode %T: message of more than %d elements", v, maxElements)
	}
	_, err := message.ProtoMethods().Unmarshal(protoiface.UnmarshalInput{
		Message: message, Buf: buf, Flags: protoiface.UnmarshalAliasBuffer,
		Resolver: protoregistry.GlobalTypes, Depth: protowire.DefaultRecursionLimit,
	})
	if err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

const (
	// pooledAbove is the size from which on gRPC's pools have one size for all.
	pooledAbove = 32 << 10
	// pooledSize has room for a chunk of data and what surrounds it.
	pooledSize = sdk.MaxChunk + 64<<10
)

var fileBuffers = sync.Pool{New: func() any {
	b := make([]byte, pooledSize)
	return &b
}}

// filePool has buffers for large messages, with whatever the last one left in
// them.
type filePool struct{}

var _ mem.BufferPool = filePool{}

// Get implements [mem.BufferPool].
func (filePool) Get(n int) *[]byte {
	if n > pooledSize {
		b := make([]byte, n)
		return &b
	}
	b := fileBuffers.Get().(*[]byte)
	*b = (*b)[:n]
	return b
}

// Put implements [mem.BufferPool].
func (filePool) Put(b *[]byte) {
	if cap(*b) == pooledSize {
		fileBuffers.Put(b)
	}
}
