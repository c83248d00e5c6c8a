package process

import (
	"fmt"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	protobuf "google.golang.org/protobuf/proto"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// codec writes and reads what gRPC's own codec does. With messages full of file
// data that one spends most of its time on clearing buffers of a megabyte which
// are filled at once. This one clears nothing. It refuses messages that would
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
	size := protobuf.Size(m)
	pool := poolFor(size)
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
	buf := joined(data)
	defer buf.Free() // what is decoded has memory of its own
	err := bounded(buf.ReadOnlyData(), m.ProtoReflect().Descriptor())
	if err == nil {
		err = protobuf.Unmarshal(buf.ReadOnlyData(), m)
	}
	if err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// joined is a message in one piece, until the buffer is freed.
func joined(data mem.BufferSlice) mem.Buffer { return data.MaterializeToBuffer(poolFor(data.Len())) }

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

// poolFor is where buffers for messages of n bytes come from.
func poolFor(n int) mem.BufferPool {
	if n > pooledAbove {
		return filePool{}
	}
	return mem.DefaultBufferPool()
}

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
