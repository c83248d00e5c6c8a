package process

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxElements is the most messages and elements of lists that one message may
// hold. The smallest take two bytes on the wire and a hundred in memory, so the
// length of a message alone does not bound what it costs to decode it. No honest
// message comes near: its lists have sdk.MaxBatch elements.
const maxElements = 1 << 17

// bounded returns an error if an encoded message holds more than maxElements.
func bounded(b []byte, desc protoreflect.MessageDescriptor) error {
	if len(b) > maxElements && countElements(b, desc, maxElements) < 0 {
		return fmt.Errorf("message of more than %d elements", maxElements)
	}
	return nil
}

// countElements takes from left what an encoded message holds and returns the
// rest, which is negative if that was too little. It stops where the encoding is
// broken: who decodes it will say so.
func countElements(b []byte, desc protoreflect.MessageDescriptor, left int) int {
	for len(b) > 0 && left >= 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return left
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			return left
		}
		field := desc.Fields().ByNumber(number)
		switch {
		case field == nil: // kept as it is
		case field.Message() != nil && kind == protowire.BytesType:
			inner, _ := protowire.ConsumeBytes(b)
			left = countElements(inner, field.Message(), left-1)
		case field.IsList():
			left--
		}
		b = b[n:]
	}
	return left
}
