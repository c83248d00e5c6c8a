package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/gsyncd/gsyncd-host/sdk"
	"github.com/gsyncd/gsyncd-host/sdk/process"
	"github.com/gsyncd/gsyncd-host/sdk/process/internal/rpcpb"
	"github.com/gsyncd/gsyncd-host/sdk/wire/wirepb"
)

// pipes is a process's input and output as one stream.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// beAgent serves the fake driver on standard input and output.
func beAgent() {
	err := process.ServeStream(context.Background(), pipes{os.Stdin, os.Stdout}, newFakeDriver(slog.New(slog.DiscardHandler)), process.StreamOptions{Program: "v1"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hostile is a client that holds to no rule of the protocol.
type hostile struct {
	t    *testing.T
	cmd  *exec.Cmd
	conn *grpc.ClientConn
	id   uint64 // of a target that is open
}

// newHostile starts an agent and meets it.
func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{t: t, cmd: exec.Command(os.Args[0], "agent")}
	h.cmd.Env = append(os.Environ(), "GOGC=20") // what it holds counts, not what it has let go
	var said bytes.Buffer
	h.cmd.Stderr = &said
	in, err := h.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		_ = h.cmd.Wait()
		near.Close()
		if t.Failed() {
			t.Logf("[agent]\n%s", said.String())
		}
	})
	r := bufio.NewReader(out)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(in, "gsyncd-host-client %d x\n", process.Version)
	go func() { _, _ = io.Copy(in, far); in.Close() }()
	go func() { _, _ = io.Copy(far, r); far.Close() }()
	h.conn, err = grpc.NewClient("passthrough:///agent", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return near, nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.conn.Close() })
	values, err := newFakeDriver(nil).Describe().Schema.WithDefaults(nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := values.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	reply, err := rpcpb.NewDriverClient(h.conn).Open(t.Context(), &wirepb.OpenRequest{Scheme: []byte("fake"), Rest: []byte("count"), Role: uint32(sdk.Secondary), Config: config})
	if err != nil || reply.Error != nil {
		t.Fatal(err, reply)
	}
	h.id = reply.Resource
	return h
}

// ready is a message that is encoded.
type ready []byte

// readyCodec sends messages as they are.
type readyCodec struct{ encoding.CodecV2 }

// Marshal implements [encoding.CodecV2].
func (c readyCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(ready); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// call sends messages and returns the first error that the agent answers with,
// in a reply or in the call's end, and how many answers came before it.
func (h *hostile) call(method string, reply func() proto.Message, messages int, message func(int) ready, opts ...grpc.CallOption) (answers int, err error) {
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	opts = append(opts, grpc.ForceCodecV2(readyCodec{encoding.GetCodecV2(encodingproto.Name)}), grpc.MaxCallSendMsgSize(1<<31-1))
	stream, err := h.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, opts...)
	if err != nil {
		return 0, err
	}
	go func() {
		for i := range messages {
			if stream.SendMsg(message(i)) != nil {
				return // the answer says why
			}
		}
		_ = stream.CloseSend()
	}()
	for {
		m := reply()
		err := stream.RecvMsg(m)
		if errors.Is(err, io.EOF) {
			return answers, nil
		}
		if err != nil {
			return answers, err
		}
		if e := m.(interface{ GetError() *wirepb.Error }).GetError(); e != nil {
			if n := proto.Size(e); n > 10<<10 {
				h.t.Errorf("an error of %d bytes", n)
			}
			err = errors.New(string(e.Msg))
			if stream.RecvMsg(m) == nil {
				h.t.Error("the call goes on after an error")
			}
			return answers, err
		}
		answers++
	}
}

// peak is the most memory that the agent has had, in bytes.
func (h *hostile) peak() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		h.t.Fatal(err)
	}
	return n << 10
}

func (h *hostile) encode(m proto.Message) ready {
	b, err := proto.Marshal(m)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// TestHostileClient sends what no host would, more of it and larger. Each is
// refused with one error, takes little memory, and harms no later call.
func TestHostileClient(t *testing.T) {
	applied := func() proto.Message { return &wirepb.ApplyReply{} }
	rows := func() proto.Message { return &wirepb.RowsReply{} }
	written := func() proto.Message { return &wirepb.WriteReply{} }
	mkdir := func(path string) *wirepb.Op { return &wirepb.Op{Kind: uint32(sdk.OpMkdir), Path: []byte(path)} }
	many := func(n int) (ops []*wirepb.Op) {
		for range n {
			ops = append(ops, mkdir("d"))
		}
		return ops
	}
	heavy := &wirepb.Op{Kind: uint32(sdk.OpSetMeta), Path: []byte("f"), Meta: &wirepb.Meta{Mask: uint32(sdk.MetaXattrs)}}
	for i := range 100 {
		heavy.Meta.Xattrs = append(heavy.Meta.Xattrs, &wirepb.Xattr{Name: fmt.Appendf(nil, "user.%d", i), Value: make([]byte, 64<<10)})
	}
	const mostly = 8<<20 - 100 // of bytes, which a message may be long
	for _, c := range []struct {
		name     string
		method   string
		reply    func() proto.Message
		message  func(id uint64) proto.Message
		messages int // 0: 1
		options  []grpc.CallOption
		want     string // in the error; "" for none
		calls    int    // at the same time; 0: 1
	}{
		{name: "too many operations", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "1001 operations in one message, more than 1000",
			message: func(id uint64) proto.Message { return &wirepb.ApplyRequest{Resource: id, Ops: many(1001)} }},
		{name: "a long name", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "is longer than",
			message: func(id uint64) proto.Message {
				return &wirepb.ApplyRequest{Resource: id, Ops: []*wirepb.Op{mkdir(strings.Repeat("x", 7<<20))}}
			}},
		{name: "a name that leads out", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: `"../x"`,
			message: func(id uint64) proto.Message {
				return &wirepb.ApplyRequest{Resource: id, Ops: []*wirepb.Op{mkdir("d"), mkdir("../x")}}
			}},
		{name: "a long message", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "larger than max",
			message: func(id uint64) proto.Message {
				return &wirepb.ApplyRequest{Resource: id, Ops: []*wirepb.Op{mkdir(strings.Repeat("x", 50<<20))}}
			}},
		{name: "a long message, compressed", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "larger than max",
			options: []grpc.CallOption{grpc.UseCompressor(gzip.Name)},
			message: func(id uint64) proto.Message {
				return &wirepb.ApplyRequest{Resource: id, Ops: []*wirepb.Op{mkdir(strings.Repeat("x", 50<<20))}}
			}},
		{name: "empty operations", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "message of more than 131072 elements",
			message: func(uint64) proto.Message { return &wirepb.ApplyRequest{Ops: make([]*wirepb.Op, mostly/2)} }},
		{name: "empty attributes", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "message of more than 131072 elements",
			message: func(uint64) proto.Message {
				return &wirepb.ApplyRequest{Ops: []*wirepb.Op{{Meta: &wirepb.Meta{Xattrs: make([]*wirepb.Xattr, mostly/2)}}}}
			}},
		{name: "a list without end", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, messages: 60,
			message: func(id uint64) proto.Message {
				return &wirepb.ApplyRequest{Resource: id, Ops: []*wirepb.Op{heavy}, More: true}
			}},
		{name: "thousands of messages", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, messages: 5000,
			message: func(id uint64) proto.Message { return &wirepb.ApplyRequest{Resource: id, Ops: many(10), More: true} }},
		{name: "too many directories", method: rpcpb.Resource_Scan_FullMethodName, reply: rows, want: "1001 paths in one message, more than 1000",
			message: func(id uint64) proto.Message { return &wirepb.PathsRequest{Resource: id, Paths: make([][]byte, 1001)} }},
		{name: "empty directories", method: rpcpb.Resource_Scan_FullMethodName, reply: rows, want: "message of more than 131072 elements",
			message: func(id uint64) proto.Message {
				return &wirepb.PathsRequest{Resource: id, Paths: make([][]byte, mostly/2)}
			}},
		{name: "a long directory", method: rpcpb.Resource_Scan_FullMethodName, reply: rows, want: "is longer than",
			message: func(id uint64) proto.Message {
				return &wirepb.PathsRequest{Resource: id, Paths: [][]byte{bytes.Repeat([]byte("x/"), 3<<20)}}
			}},
		{name: "too much of a file", method: rpcpb.Resource_Write_FullMethodName, reply: written, want: "of data in one message, more than",
			message: func(id uint64) proto.Message {
				return &wirepb.WriteRequest{Resource: id, Events: []*wirepb.FileEvent{
					{Kind: wirepb.FileEvent_BEGIN, Path: []byte("f"), Size: 1}, {Kind: wirepb.FileEvent_DATA, Data: make([]byte, 2<<20)},
				}}
			}},
		{name: "many at the same time", method: rpcpb.Resource_Apply_FullMethodName, reply: applied, want: "1001 operations in one message, more than 1000", calls: 2000,
			message: func(id uint64) proto.Message { return &wirepb.ApplyRequest{Resource: id, Ops: many(1001)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHostile(t)
			before := h.peak()
			message := h.encode(c.message(h.id))
			var wg sync.WaitGroup
			for range max(c.calls, 1) {
				wg.Go(func() {
					answers, err := h.call(c.method, c.reply, max(c.messages, 1), func(int) ready { return message }, c.options...)
					if c.want == "" && (err != nil || answers != c.messages) {
						t.Errorf("%d answers, %v", answers, err)
					}
					if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || answers != 0) {
						t.Errorf("%d answers, %.300v", answers, err)
					}
				})
			}
			wg.Wait()
			id, err := rpcpb.NewResourceClient(h.conn).Identity(t.Context(), &wirepb.ResourceRequest{Resource: h.id})
			if err != nil || id.Error != nil {
				t.Errorf("afterwards: %v, %v", err, id.GetError())
			}
			grew := h.peak() - before
			t.Logf("%d MiB more", grew>>20)
			if grew > 200<<20 {
				t.Errorf("it took %d MiB", grew>>20)
			}
		})
	}
}
