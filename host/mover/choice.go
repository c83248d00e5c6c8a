package mover

import "sync"

// choice picks the method for each file. Its methods may be called
// concurrently.
type choice struct {
	method    string
	threshold int64

	mu     sync.Mutex
	plugin bool // there is one, and it can reach both sides
	local  bool
	stream speed
	other  speed
	since  int // picks since both were last measured
}

// remeasure is after how many picks of the faster method the slower one gets
// another try: a disk's speed is not for ever.
const remeasure = 32

func (c *choice) setLocal(local bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.local = local
}

// giveUp has all files go without the plugin from now on. It says whether that
// is new.
func (c *choice) giveUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.plugin
	c.plugin = false
	return had
}

// pick says whether the plugin is to move a file, and why.
func (c *choice) pick(j *Job) (plugin bool, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	plain := "streamed"
	if c.local {
		plain = "local copy"
	}
	switch {
	case j.Compare && c.local:
		return false, "to compare"
	case c.method == Stream:
		return false, plain
	case !c.plugin && c.method != Auto:
		return false, "fell back: no path to a side"
	case !c.plugin:
		return false, plain
	case c.method != Auto:
		return true, "asked for"
	case j.Old == nil || j.Old.Size == 0:
		return false, "new"
	case j.Entry.Size < c.threshold:
		return false, "small"
	case !c.local || c.other.unknown():
		return true, "changed and large"
	case c.stream.unknown():
		return false, "to measure"
	}
	faster := c.other.rate > c.stream.rate
	if c.since++; c.since%remeasure == 0 {
		return !faster, "to measure"
	}
	return faster, "measured faster"
}

// measured notes how long a large changed file took.
func (c *choice) measured(plugin bool, it *item, seconds float64) {
	if it.Old == nil || it.Entry.Size < c.threshold || seconds <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.stream
	if plugin {
		s = &c.other
	}
	s.add(float64(it.Entry.Size) / seconds)
}

// speed is a moving average of bytes a second.
type speed struct{ rate float64 }

func (s *speed) unknown() bool { return s.rate == 0 }

func (s *speed) add(rate float64) {
	if s.unknown() {
		s.rate = rate
		return
	}
	const weight = 0.3 // of the new figure
	s.rate += weight * (rate - s.rate)
}
