#!/usr/bin/env bash
# Runs every fuzz target of the product for the given time, one after the other:
# `go test -fuzz` takes one target of one package.
set -euo pipefail
time="${1:?duration}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# deadline says whether the log is of a target that failed merely since its time was
# over: up to Go 1.26 the fuzzing engine may, on a busy machine, report that as an error,
# without an input that fails.
deadline() {
	grep -A1 '^--- FAIL: Fuzz' "$log" | grep -qx ' *context deadline exceeded' && ! grep -q 'Failing input written to\|seed corpus entry' "$log"
}

found=0
while IFS=: read -r file target; do
	dir=$(dirname "$file")
	for try in 1 2 3; do
		echo "fuzz $dir $target"
		if go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" 2>&1 | tee "$log"; then
			break
		fi
		if [ "$try" = 3 ] || ! deadline; then
			exit 1
		fi
		echo "fuzz $dir $target: once more"
	done
	found=$((found + 1))
done < <(grep -roE --include='*_test.go' '^func Fuzz\w+' . | sed 's/func //' | sort)
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
