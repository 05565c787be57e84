#!/usr/bin/env bash
# The symbols that libpelton.so exports are those of tests/api/abi.txt, all of them pelton_*, and every function that a
# public header declares is among them. libpelton_rt.so, beside it, exports what base.h, run.h and serve.h declare.
#
#   abi.sh LIBPELTON.SO     abi.sh --update [LIBPELTON.SO]
set -eu
cd "$(dirname "$0")/../.."
update=
if [ "${1-}" = --update ]; then
  update=yes
  shift
fi
library=${1:-build/release/libpelton.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exported() { nm -D --defined-only "$1" | awk '{ print $3 }' | LC_ALL=C sort; }
# A declaration starts with PELTON_API and names its function before the first parenthesis.
declared() {
  cat "$@" | tr '\n' ' ' | grep -o 'PELTON_API [^;(]*(' | grep -o 'pelton_[a-z0-9_]*(' | tr -d '(' | LC_ALL=C sort -u
}

exported "$library" >"$work/exported"
declared include/pelton/*.h >"$work/declared"
exported "${library%/*}/libpelton_rt.so" >"$work/rt-exported"
declared include/pelton/base.h include/pelton/run.h include/pelton/serve.h >"$work/rt-declared"

failed=0
if grep -v '^pelton_' "$work/exported"; then
  echo "FAILED  the symbols above are exported but are not pelton_*"
  failed=1
fi
if LC_ALL=C comm -23 "$work/declared" "$work/exported" | grep .; then
  echo "FAILED  the functions above are declared in include/pelton but not exported"
  failed=1
fi
if LC_ALL=C comm -13 "$work/declared" "$work/exported" | grep .; then
  echo "FAILED  the symbols above are exported but not declared with PELTON_API in include/pelton"
  failed=1
fi
if ! diff -u "$work/rt-declared" "$work/rt-exported"; then
  echo "FAILED  libpelton_rt.so must export what base.h, run.h and serve.h declare; '-' is missing, '+' is too much"
  failed=1
fi
[ "$failed" = 0 ] || exit 1
if [ "$update" ]; then
  cp "$work/exported" tests/api/abi.txt
elif ! diff -u tests/api/abi.txt "$work/exported"; then
  echo "FAILED  the exported symbols changed; when that is meant: tests/api/abi.sh --update"
  exit 1
fi
echo "$(wc -l <"$work/exported") symbols"
