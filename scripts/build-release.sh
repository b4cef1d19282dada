#!/usr/bin/env bash
# Builds everything in release mode; arguments go to swift build. Products: .build/release/vidx, and the loadable
# extension .build/release/libvidx.so.
set -euo pipefail
cd "$(dirname "$0")/.."

quiet=(--quiet)
if [ -t 1 ]; then quiet=(); else echo "building (minutes, when little has been built before)"; fi
# The runtime goes into the program: it starts in 3 ms instead of 5, and runs where no Swift is installed.
runtime=(--static-swift-stdlib)
if [ "$(uname)" = Darwin ]; then runtime=(); fi
swift build -c release "${runtime[@]}" "${quiet[@]}" "$@"

# SwiftPM names a library after its product, and "vidx" is the program: libvidx.so is the extension, stripped.
products=.build/release
if [ "$(uname)" = Darwin ]; then suffix=dylib strip=(strip -x); else suffix=so strip=(strip); fi
if [ ! "$products/libvidx.$suffix" -nt "$products/libvidx-extension.$suffix" ]; then
  # Renamed into place: a process that has the old one loaded keeps it.
  "${strip[@]}" -o "$products/.libvidx.$suffix" "$products/libvidx-extension.$suffix"
  mv "$products/.libvidx.$suffix" "$products/libvidx.$suffix"
fi
