package sdk

import "testing"

func TestUUID(t *testing.T) {
	const text = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
	u, err := ParseUUID(text)
	if err != nil || u.String() != text || u[0] != 0x0a || u[15] != 0xf9 {
		t.Errorf("%s, %v", u, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", "0a1b2c3d04e5f-6071-8293-a4b5c6d7e8f9", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8fg"} {
		if _, err := ParseUUID(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestNativeXTime(t *testing.T) {
	x := NativeXTime{Sec: 0x01020304, Usec: 0x05060708}
	b, _ := x.AppendBinary(nil)
	if string(b) != "\x01\x02\x03\x04\x05\x06\x07\x08" || NativeXTimeFrom(b) != x {
		t.Errorf("% x", b)
	}
}
