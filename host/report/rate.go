package report

import "time"

// rateSlots is how many seconds a rate looks back.
const rateSlots = 10

// rate is a sliding mean over the last seconds.
type rate struct {
	first int64 // second of the first byte
	slots [rateSlots]struct {
		second int64
		bytes  int64
	}
}

func (r *rate) add(now time.Time, n int64) {
	sec := now.Unix()
	if r.first == 0 {
		r.first = sec
	}
	slot := &r.slots[sec%rateSlots]
	if slot.second != sec {
		slot.second, slot.bytes = sec, 0
	}
	slot.bytes += n
}

func (r *rate) perSecond(now time.Time) float64 {
	sec := now.Unix()
	var sum int64
	for _, s := range r.slots {
		if sec-s.second < rateSlots {
			sum += s.bytes
		}
	}
	span := min(sec-r.first+1, rateSlots)
	if r.first == 0 || span <= 0 {
		return 0
	}
	return float64(sum) / float64(span)
}
