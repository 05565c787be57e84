#!/usr/bin/env bash
# Every C program in README.md compiles without a warning.   readme.sh [C-COMPILER]
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v folder="$work" '
  /^```c$/ { inside = 1; count++; next }
  /^```/   { inside = 0 }
  inside   { print > (folder "/readme" count ".c") }' README.md
found=0
for program in "$work"/readme*.c; do
  [ -e "$program" ] || break
  "${1:-cc}" -std=c17 -Wall -Wextra -Wpedantic -Wconversion -Werror -Iinclude -fsyntax-only "$program"
  found=$((found + 1))
done
echo "$found passed, 0 failed, 0 skipped"
[ "$found" != 0 ]
