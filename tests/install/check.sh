#!/usr/bin/env bash
# Installs into a temporary prefix, moves it, and builds a small program against it through find_package and through
# pkg-config, shared and static.   check.sh BUILD-FOLDER [CMAKE [C-COMPILER [GENERATOR]]]
set -eu
build=$1
cmake=${2:-cmake}
cc=${3:-cc}
generator=${4:-Ninja}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/prefix" # nothing installed may remember where it was
version=$(sed -n 's/^#define PELTON_VERSION_STRING "\(.*\)"/\1/p' "$work/prefix/include/pelton/base.h")
libraries=$(dirname "$(find "$work/prefix" -name 'libpelton_rt.so')")
whole=
[ -e "$libraries/libpelton.so" ] && whole=yes

cat >"$work/main.c" <<'END'
#include <pelton/base.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  puts(pelton_version());
  return strcmp(pelton_version(), PELTON_VERSION_STRING) != 0;
}
END

expect() { # WHAT PROGRAM
  local said
  said=$(LD_LIBRARY_PATH=$libraries "$2") || { echo "FAILED  $1: exit $?"; exit 1; }
  [ "$said" = "$version" ] || { echo "FAILED  $1: said '$said', not '$version'"; exit 1; }
  echo "ok      $1"
  passed=$((passed + 1))
}
passed=0

components=runtime
[ "$whole" ] && components="runtime pelton"
cat >"$work/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(pelton ${version%.*} REQUIRED COMPONENTS $components)
foreach(target $(for c in $components; do echo "$c $c-static"; done))
  add_executable(with-\${target} main.c)
  target_link_libraries(with-\${target} PRIVATE pelton::\${target})
endforeach()
END
"$cmake" -G "$generator" -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$cc" >"$work/log" 2>&1 &&
  "$cmake" --build "$work/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for component in $components; do
  expect "find_package, pelton::$component" "$work/build/with-$component"
  expect "find_package, pelton::$component-static" "$work/build/with-$component-static"
done

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$libraries/pkgconfig
  packages=pelton-runtime
  [ "$whole" ] && packages="pelton-runtime pelton"
  for package in $packages; do
    # shellcheck disable=SC2046
    "$cc" "$work/main.c" -o "$work/$package" $(pkg-config --cflags --libs "$package")
    expect "pkg-config, $package" "$work/$package"
    # shellcheck disable=SC2046
    "$cc" "$work/main.c" -o "$work/$package-static" $(pkg-config --cflags "$package") \
      -Wl,-Bstatic $(pkg-config --libs "$package") -Wl,-Bdynamic $(pkg-config --static --libs-only-l "$package" | sed "s/-lpelton[a-z_]*//") -pthread
    expect "pkg-config, $package, static" "$work/$package-static"
  done
else
  echo "skipped pkg-config is not installed"
fi

# The runtime stands alone: it must not need the compiler's library.
if [ "$whole" ] && readelf -d "$libraries/libpelton_rt.so" | grep -q 'NEEDED.*libpelton\.'; then
  echo "FAILED  libpelton_rt.so needs libpelton.so"
  exit 1
fi
if [ "$whole" ] && [ -e "$work/prefix/bin/pelton" ] && readelf -d "$work/prefix/bin/pelton" | grep -q 'NEEDED.*libpelton'; then
  echo "FAILED  the command needs a shared libpelton"
  exit 1
fi
echo "$passed passed, 0 failed, 0 skipped"
