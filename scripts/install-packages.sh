#!/usr/bin/env bash
# Installs the Debian packages that are missing; quick and quiet when none is. Swift and make are taken as given.
#
#   scripts/install-packages.sh [build|test|bench|ci]...    (build when nothing is said)
set -euo pipefail

build=(
  binutils               # strip
  libsqlite3-dev         # SQLite's header and library
  libopenblas0-pthread   # matrix products on CPUs without AVX2 (loaded at run time)
)
test=(
  python3                # its sqlite3 loads the extension; runs the checks in scripts/
  python3-numpy          # the tests of Benchmarks/ and python/
  gcc libc6-dev python3-dev python3-pip python3-setuptools python3-wheel   # pip installs python/
  sqlite3                # the stock shell, which loads the extension too
)
bench=(
  g++ python3-dev python3-venv   # the peers live in .venv; hnswlib is compiled there
)
ci=(
  libc6-dev-arm64-cross gcc-aarch64-linux-gnu qemu-user   # scripts/check-neon.sh
)

wanted=("${build[@]}")
for group in "$@"; do
  case $group in
    build) ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${test[@]}" "${bench[@]}") ;;
    ci) wanted+=("${test[@]}" "${ci[@]}") ;;
    *) echo "install-packages: no group named $group; there are build, test, bench and ci" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  [ "$(uname)" = Darwin ] && exit 0   # the system has all that building and testing needs
  echo "install-packages: not a Debian system; install what corresponds to: ${wanted[*]}" >&2
  exit 0
fi

installed=" $(dpkg-query --show --showformat='${db:Status-Status}:${Package} ' "${wanted[@]}" 2>/dev/null || true)"
missing=()
for package in "${wanted[@]}"; do
  [[ $installed == *" installed:$package "* ]] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-packages: as root, run: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq --yes --no-install-recommends "${missing[@]}" </dev/null
