package cli

import (
	"log/slog"
	"time"

	"github.com/gsyncd/gsyncd-host/host/report"
	"github.com/gsyncd/gsyncd-host/sdk"
)

const (
	// tellEvery is how often, at most, a mirror that follows changes says so.
	tellEvery = time.Minute
	// tellProblems is how many problems are told one by one at a time.
	tellProblems = 20
)

// teller writes into the log what a mirror comes to: when it is in sync, and
// each problem when it appears and when it is over. It is for one goroutine.
type teller struct {
	log  *slog.Logger
	live bool // live lines tell the good news

	told     report.Counts
	toldAt   time.Time
	trouble  bool // since it was last told to be in sync
	problems map[sdk.Path]report.Problem
}

func (t *teller) tell(s report.Snapshot) {
	switch s.State {
	case report.InSync:
		t.tellProblems(&s)
		t.tellSynced(&s)
	case report.Waiting:
		t.trouble = true
		t.tellProblems(&s)
	case report.Restarting:
		t.trouble = true
	}
}

func (t *teller) tellSynced(s *report.Snapshot) {
	now := s.Done
	now.Visited = t.told.Visited // looking is no news
	news := now != t.told && s.Now.Sub(t.toldAt) >= tellEvery
	if !t.toldAt.IsZero() && !t.trouble && !news {
		return
	}
	if !t.live {
		t.log.Info("in sync", "files", now.Files-t.told.Files, "bytes", now.Bytes-t.told.Bytes,
			"deletes", now.Deletes-t.told.Deletes, "entries", s.Entries)
	}
	t.told, t.toldAt, t.trouble = now, s.Now, false
}

func (t *teller) tellProblems(s *report.Snapshot) {
	present := make(map[sdk.Path]report.Problem, len(s.Problems))
	news := 0
	for _, p := range s.Problems {
		present[p.Path] = p
		if old, ok := t.problems[p.Path]; ok && old.Kind == p.Kind && old.Side == p.Side {
			continue
		}
		if news++; news <= tellProblems {
			t.log.Warn("problem", "path", string(p.Path), "side", p.Side.String(), "kind", p.Kind.String(),
				"cause", p.Cause, "next", p.Next.Format(time.TimeOnly))
		}
	}
	if news > tellProblems {
		t.log.Warn("more problems", "count", news-tellProblems, "all", s.ProblemCount)
	}
	over := 0
	for path := range t.problems {
		if _, ok := present[path]; ok {
			continue
		}
		if over++; over <= tellProblems {
			t.log.Info("problem is over", "path", string(path))
		}
	}
	if over > tellProblems {
		t.log.Info("more problems are over", "count", over-tellProblems)
	}
	t.problems = present
}
