# One set of compile options for everything in the tree: `pelton_options`. gcc 12 and clang 14 are warning-free with it.
add_library(pelton_options INTERFACE)
target_compile_options(pelton_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wcast-qual -Wundef
  # A multiply and an add are contracted on purpose only, so that results do not depend on the compiler's mood.
  -ffp-contract=off)
if(PELTON_WERROR)
  target_compile_options(pelton_options INTERFACE -Werror)
endif()

if(PELTON_SANITIZE)
  if(NOT PELTON_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "PELTON_SANITIZE is '${PELTON_SANITIZE}': use 'address,undefined' or 'thread'")
  endif()
  add_compile_options(-fsanitize=${PELTON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PELTON_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # gcc's own checks see the sanitizer's branches in place of the shifts and initialisations that were written, and
    # warn of code that is right. The builds without sanitizers have these warnings.
    target_compile_options(pelton_options INTERFACE -Wno-maybe-uninitialized -Wno-conversion)
  endif()
endif()

if(PELTON_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PELTON_FUZZ needs clang: use the preset 'fuzz'")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
