#!/bin/sh
# Builds the driver as a module: build.sh [OUTPUT]. It needs rustc with the target
# wasm32-unknown-unknown, and lld: on Debian, rustc, libstd-rust-dev-wasm32 and lld.
# Another compiler than the one found is named by RUSTC.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=wasm32-unknown-unknown
for rustc in ${RUSTC:-rustc /usr/bin/rustc}; do
	sysroot=$("$rustc" --print sysroot 2>/dev/null) || continue
	[ -d "$sysroot/lib/rustlib/$target" ] || continue
	exec "$rustc" --edition 2021 --crate-name cpio --crate-type cdylib --target "$target" \
		-D warnings -C opt-level=2 -C panic=abort -C strip=symbols -C linker=wasm-ld \
		-o "${1:-cpio.driver.wasm}" "$here/src/lib.rs"
done
echo "no rustc with the target $target: apt-get install rustc libstd-rust-dev-wasm32 lld, or rustup target add $target" >&2
exit 1
