#!/usr/bin/env bash
# Every public header compiles alone, without a warning, as C99, C17 and C++11.   headers.sh [C-COMPILER]
set -u
cd "$(dirname "$0")/../.." || exit 1
cc=${1:-cc}
case $cc in
  *clang*) cxx=${cc/clang/clang++} ;;
  *) cxx=g++ ;;
esac
warnings=(-Wall -Wextra -Wpedantic -pedantic-errors -Wshadow -Wconversion -Wundef -Werror)
failed=0 checked=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # LANGUAGE COMPILER OPTION...
  local language=$1 header
  shift
  for header in include/pelton/*.h; do
    # Twice, so that a missing guard shows.
    printf '#include "pelton/%s"\n#include "pelton/%s"\nint used;\n' "${header##*/}" "${header##*/}" >"$work/header.$language"
    if ! "$@" "${warnings[@]}" -Iinclude -fsyntax-only "$work/header.$language"; then
      echo "FAILED  $header: $*"
      failed=$((failed + 1))
    fi
    checked=$((checked + 1))
  done
}

check c "$cc" -std=c99 -Wstrict-prototypes
check c "$cc" -std=c17 -Wstrict-prototypes
if command -v "$cxx" >/dev/null; then
  check cpp "$cxx" -std=c++11
else
  echo "C++11: not checked, $cxx is not installed"
fi
echo "$((checked - failed)) passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$checked" != 0 ]
