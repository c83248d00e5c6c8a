package schema_test

import (
	"fmt"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

// A driver's settings as data: the host checks a configuration by it.
func ExampleSchema_Parse() {
	s := schema.Schema{
		{Name: "cache", Type: schema.Size, Default: int64(64 << 20), Doc: "memory it may use"},
		{Name: "mode", Type: schema.String, OneOf: []string{"fast", "careful"}, Default: "careful"},
		{Name: "token", Type: schema.String, Required: true, Secret: true},
	}
	values, err := s.Parse([]string{"token=abc", "mode=fast"})
	fmt.Println(values.Int("cache"), values.String("mode"), err)
	_, err = s.Parse([]string{"token=abc", "mode=slow"})
	fmt.Println(err)
	// Output:
	// 67108864 fast <nil>
	// mode must be one of fast, careful, not "slow"
}
