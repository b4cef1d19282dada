#!/usr/bin/env bash
# Compiles the kernels for aarch64 with the toolchain's clang, and runs them against the scalar ones under an emulator.
# Debian packages: libc6-dev-arm64-cross gcc-aarch64-linux-gnu qemu-user. CC names another clang.
set -euo pipefail
cd "$(dirname "$0")/.."

cc=${CC:-clang}
system=/usr/aarch64-linux-gnu
for tool in "$cc" aarch64-linux-gnu-ld qemu-aarch64; do
  command -v "$tool" >/dev/null || missing="${missing:-} $tool"
done
[ -d "$system/include" ] || missing="${missing:-} $system/include"
if [ -n "${missing:-}" ]; then
  echo "check-neon: missing:$missing; apt-get install libc6-dev-arm64-cross gcc-aarch64-linux-gnu qemu-user" >&2
  exit 1
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# -O0 too: SwiftPM's debug builds do without the optimiser, and unrolled loops and inlined steps must not need it.
for optimisation in -O2 -O0; do
  "$cc" --target=aarch64-linux-gnu -isystem "$system/include" -std=c17 "$optimisation" -Wall -Wextra -Werror \
    -ISources/CVidxKernels/include Sources/CVidxKernels/*.c scripts/kernels-selftest.c \
    --ld-path="$(command -v aarch64-linux-gnu-ld)" -lm -o "$out/selftest"
  # With the dot product instructions, and without.
  for cpu in max cortex-a53; do qemu-aarch64 -cpu "$cpu" -L "$system" "$out/selftest" neon; done
done
