package watch

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// TestMain lets more tests run at a time than there are processors: for most of
// their time they wait for what does not come. The flag -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(6)) // it is there, and takes numbers
	}
	os.Exit(m.Run())
}
