#!/bin/sh
# Generates the Go code of the plugin protocol. Needs protoc, protoc-gen-go and
# protoc-gen-go-grpc on the PATH. The result is committed.
set -eu
cd "$(dirname "$0")/../../.."
module=github.com/gsyncd/gsyncd-host
protoc --proto_path=sdk/wire/proto \
	--go_out=. --go_opt=module=$module \
	--go-grpc_out=. --go-grpc_opt=module=$module \
	gsyncd/plugin/v1/messages.proto gsyncd/plugin/v1/services.proto
