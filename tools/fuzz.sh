#!/usr/bin/env bash
# Runs every fuzz target of the product for the given time, one after the other:
# `go test -fuzz` takes one target of one package.
set -euo pipefail
time="${1:?duration}"
found=0
while IFS=: read -r file target; do
	dir=$(dirname "$file")
	echo "fuzz $dir $target"
	go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
	found=$((found + 1))
done < <(grep -roE --include='*_test.go' '^func Fuzz\w+' . | sed 's/func //' | sort)
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
