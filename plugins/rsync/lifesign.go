package rsync

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// groupIO adds up what the processes of the group led by pid read and wrote so
// far. rsync is silent while it reads a large basis; its I/O counters are not.
// Where they cannot be read the sum is 0, and output has to do as a sign of
// life. The sum falls when a process ends; any difference counts.
func groupIO(pid int) int64 {
	var sum int64
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		sum += processIO(queue[0])
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", queue[0]))
		if err != nil {
			continue
		}
		for f := range bytes.FieldsSeq(b) {
			if child, err := strconv.Atoi(string(f)); err == nil && len(queue) < 16 {
				queue = append(queue, child)
			}
		}
	}
	return sum
}

func processIO(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0
	}
	var sum int64
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if s := string(name); s != "rchar" && s != "wchar" {
			continue
		}
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			sum += n
		}
	}
	return sum
}
