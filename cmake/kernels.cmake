# CPU kernels: src/targets/cpu/kernels/<name>.<isa>.c. The suffix says which instructions the file may use, and is the
# only place where they are said: the flags follow from it here, the dispatch from the generated list.
#
#   cpu_kernels_list.inc   PN_CPU_KERNELS(pn_cpu_kernels_<name>_<isa>)   one line a file
include(CheckCCompilerFlag)

# The ladder mirrors pn_isa_bit in src/base/cpu.h: each level has what the levels it implies have.
set(PELTON_ISAS generic avx2 avx512 vnni bf16 amx)
set(isa_flags_generic "")
set(isa_flags_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(isa_flags_avx512 ${isa_flags_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512cd
    -mprefer-vector-width=512)
set(isa_flags_vnni ${isa_flags_avx512} -mavx512vnni)
set(isa_flags_bf16 ${isa_flags_avx512} -mavx512bf16)
set(isa_flags_amx ${isa_flags_avx512} -mavx512vnni -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16)

# Instrumented in full, one fully unrolled kernel file takes a compiler minutes (gemm_f32.avx512.c: gcc 80 s, clang above
# 8 min). With the address checks of memory operands as calls it is 8 s, and these are the checks that matter here:
# tests give kernels operands of exact size. The fuzzer is after parsers, so there kernels have no checks.
set(kernel_sanitizer_flags "")
if(PELTON_FUZZ)
  set(kernel_sanitizer_flags -fno-sanitize=all)
elseif(PELTON_SANITIZE MATCHES "address" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(kernel_sanitizer_flags -fno-sanitize=undefined
      --param=asan-instrumentation-with-call-threshold=0 --param=asan-stack=0)
elseif(PELTON_SANITIZE MATCHES "address")
  set(kernel_sanitizer_flags -fno-sanitize=undefined
      -mllvm -asan-instrumentation-with-call-threshold=0 -mllvm -asan-stack=0)
endif()

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
if(processor MATCHES "^(x86_64|amd64)$")
  set(PELTON_X86 ON)
else()
  set(PELTON_X86 OFF)
endif()

# Whether this compiler can make code for |isa|; the answer is cached.
function(pelton_isa_available isa out)
  set(${out} ON PARENT_SCOPE)
  if(isa STREQUAL "generic")
    return()
  endif()
  set(${out} OFF PARENT_SCOPE)
  if(PELTON_X86)
    list(JOIN isa_flags_${isa} " " flags)
    set(CMAKE_REQUIRED_QUIET ON)
    check_c_compiler_flag("${flags}" PELTON_ISA_${isa})
    if(PELTON_ISA_${isa})
      set(${out} ON PARENT_SCOPE)
    endif()
  endif()
endfunction()

# The kernels to compile, with their flags set, into |out|; writes cpu_kernels_list.inc.
function(pelton_cpu_kernels out)
  set(folder ${PROJECT_SOURCE_DIR}/src/targets/cpu/kernels)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.c)
  set(sources "")
  set(lines "")
  foreach(file IN LISTS files)
    get_filename_component(base ${file} NAME)
    if(NOT base MATCHES "^(.+)\\.([a-z0-9]+)\\.c$" OR NOT CMAKE_MATCH_2 IN_LIST PELTON_ISAS)
      list(JOIN PELTON_ISAS ", " known)
      message(FATAL_ERROR "src/targets/cpu/kernels/${base}: a kernel file is named <name>.<isa>.c, isa one of ${known}")
    endif()
    set(isa ${CMAKE_MATCH_2})
    string(MAKE_C_IDENTIFIER "pn_cpu_kernels_${CMAKE_MATCH_1}_${isa}" symbol)
    pelton_isa_available(${isa} available)
    if(NOT available)
      message(STATUS "Kernel left out: ${base} (no ${isa} with this compiler and processor)")
      continue()
    endif()
    # -O3 in every build type: unoptimised intrinsics would make the tests of a debug build take hours.
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${isa_flags_${isa}};-O3;${kernel_sanitizer_flags}")
    list(APPEND sources ${file})
    string(APPEND lines "PN_CPU_KERNELS(${symbol})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PELTON_GENERATED}/cpu_kernels_list.inc CONTENT "${lines}" @ONLY)
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
