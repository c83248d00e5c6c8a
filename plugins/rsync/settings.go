package rsync

import (
	"time"

	"github.com/gsyncd/gsyncd-host/sdk/schema"
)

const (
	attrProgram  = "program"
	attrOptions  = "options"
	attrCompress = "compress"
	attrWhole    = "whole_file"
	attrTimeout  = "timeout"
	attrRate     = "rate"
)

func settings() schema.Schema {
	return schema.Schema{
		{Name: attrProgram, Type: schema.String, Default: "rsync", Doc: "The rsync to run: a name looked up in PATH, or a path."},
		{Name: attrOptions, Type: schema.Strings, Doc: "More options for rsync, of those that change only how data moves."},
		{Name: attrCompress, Type: schema.Bool, Default: false, Doc: "Compress the data on its way."},
		{Name: attrWhole, Type: schema.Bool, Default: false, Doc: "Send files whole, without looking at their earlier version."},
		{Name: attrTimeout, Type: schema.Duration, Default: time.Minute, Doc: "Stop an rsync that moved no byte for so long."},
		{Name: attrRate, Type: schema.Rate, Default: int64(0), Doc: "The most bytes a second of one run; 0 sets no limit."},
	}
}
