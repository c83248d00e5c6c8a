package agent

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/gsyncd/gsyncd-host/sdk"
)

// serverArgs are the options that an rsync server may get: those that the
// transfer method's rsync sends, and those that a person may add there. What a
// server receives, where it reads and where it writes is not for them to say.
var serverArgs = [...]*regexp.Regexp{
	regexp.MustCompile(`^--log-format=X$`), // tells the client of each file
	regexp.MustCompile(`^-B[0-9]{1,7}$`),
	regexp.MustCompile(`^--(bwlimit|compress-level|compress-threads|checksum-seed)=-?[0-9]{1,12}$`),
	regexp.MustCompile(`^--(checksum-choice|compress-choice)=[a-z0-9,]{1,40}$`),
	regexp.MustCompile(`^--max-alloc=[0-9.]{1,20}[A-Za-z]{0,3}$`),
	regexp.MustCompile(`^--(fsync|preallocate|old-compress|new-compress|no-W)$`),
	regexp.MustCompile(`^--skip-compress=[A-Za-z0-9/\[\]]{0,1000}$`),
}

// bundle fits the short options: ignore times, sparse, whole files, zlib, and
// behind the e what the client is capable of. Not among them: r, l, D and all
// that makes anything but regular files; R, which lets names have directories.
var bundle = regexp.MustCompile(`^-[ISWz]*e[0-9]*\.[0-9]*[A-Za-z]*$`)

// checkServerArgs refuses what is not a server that receives plain files into
// the job's output, compared with the job's basis.
func checkServerArgs(args []string) error {
	no := func(format string, v ...any) error {
		return &sdk.Error{Kind: sdk.KindPermission, Op: "serve rsync", Msg: fmt.Sprintf(format, v...)}
	}
	tail := []string{".", sdk.JobOut + "/"}
	if len(args) < 2+len(tail) || args[0] != "--server" || !bundle.MatchString(args[1]) {
		return no("what is asked for is not an rsync server that receives files")
	}
	middle := args[2 : len(args)-len(tail)]
	if !slices.Equal(args[len(args)-len(tail):], tail) {
		return no("rsync may write to %s alone", sdk.JobOut)
	}
	for i := 0; i < len(middle); i++ {
		a := middle[i]
		if a == "--copy-dest" && i+1 < len(middle) && middle[i+1] == "../"+sdk.JobBasis {
			i++
			continue
		}
		if !slices.ContainsFunc(serverArgs[:], func(r *regexp.Regexp) bool { return r.MatchString(a) }) {
			return no("rsync may not be given %q here", a)
		}
	}
	return nil
}
