# Tests, found by name:
#
#   tests/<kind>/**/test_<name>.c    a program on tests/harness.h, linked with everything           <kind>.<name>
#   tests/<kind>/**/test_<name>.py   run by Python; exit code 77 says skipped                       <kind>.<name>.py
#   tests/<kind>/*.c otherwise       for cases and passes: one runner, called with each data file   cases.<file>
#   tests/fuzz/fuzz_<name>.c         libFuzzer with PELTON_FUZZ; else the corpus is replayed        fuzz.<name>
#
# All run in the root of the source tree with PELTON_BIN, the command. What is beneath tests/long has the label "long".
if(PELTON_PYTHON)
  set(python ${PELTON_PYTHON})
else()
  find_program(PELTON_SYSTEM_PYTHON python3)
  set(python ${PELTON_SYSTEM_PYTHON})
endif()

# add_test with what every test has. |kind| is its label.
function(pelton_test name kind)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set(environment "PELTON_BUILD=${PROJECT_BINARY_DIR}")
  if(TARGET pelton_command)
    list(APPEND environment "PELTON_BIN=$<TARGET_FILE:pelton_command>")
  endif()
  if(TARGET pelton)
    list(APPEND environment "PELTON_LIBRARY=$<TARGET_FILE:pelton>")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${kind} SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${environment}")
endfunction()

# ---- the tree itself ---------------------------------------------------------------------------------------------

if(python)
  pelton_test(tree.layers tree ${python} tests/layers.py)
  pelton_test(tree.layers_self tree ${python} tests/layers.py --self-test)
endif()
pelton_test(api.headers api tests/api/headers.sh ${CMAKE_C_COMPILER})
pelton_test(api.readme api tests/api/readme.sh ${CMAKE_C_COMPILER})
if(NOT PELTON_SANITIZE AND NOT PELTON_FUZZ)
  pelton_test(install.check install
    tests/install/check.sh ${PROJECT_BINARY_DIR} ${CMAKE_COMMAND} ${CMAKE_C_COMPILER} ${CMAKE_GENERATOR})
  if(NOT PELTON_RUNTIME_ONLY)
    pelton_test(api.abi api tests/api/abi.sh $<TARGET_FILE:pelton>)
  endif()
endif()
if(PELTON_RUNTIME_ONLY)
  return()
endif()
pelton_test(api.runtime api tests/api/runtime.sh)

# ---- a driver without a device ---------------------------------------------------------------------------------------

# What the target cuda opens, over the host's memory; its kernels are compiled by this build's compiler.
set(PELTON_FAKE_CUDA ${PROJECT_BINARY_DIR}/tests/fake_cuda)
foreach(pair driver:libcuda.so.1 nvrtc:libnvrtc.so.13)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 role)
  list(GET pair 1 file)
  add_library(fake_cuda_${role} MODULE ${PROJECT_SOURCE_DIR}/tests/fake_cuda/${role}.c)
  target_compile_options(fake_cuda_${role} PRIVATE -w -fno-sanitize=all) # it changes stacks under a sanitizer's feet
  target_compile_definitions(fake_cuda_${role} PRIVATE
    FAKE_DEVICE_HEADER="${PROJECT_SOURCE_DIR}/tests/fake_cuda/device.h" FAKE_COMPILER="${CMAKE_C_COMPILER}")
  set_target_properties(fake_cuda_${role} PROPERTIES PREFIX "" OUTPUT_NAME ${file} SUFFIX "" C_VISIBILITY_PRESET default
    C_EXTENSIONS ON LIBRARY_OUTPUT_DIRECTORY ${PELTON_FAKE_CUDA})
  target_link_libraries(fake_cuda_${role} PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
endforeach()

# ---- programs ----------------------------------------------------------------------------------------------------

file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*.c)
add_library(pelton_test_support STATIC ${support})
target_include_directories(pelton_test_support PUBLIC
  ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src ${PELTON_GENERATED})
target_link_libraries(pelton_test_support PUBLIC pelton_options pelton_static)

function(pelton_test_program program)
  add_executable(${program} ${ARGN})
  target_link_libraries(${program} PRIVATE pelton_test_support)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/test_*.c ${PROJECT_SOURCE_DIR}/tests/test_*.py)
foreach(file IN LISTS files)
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/tests ${file})
  if(NOT path MATCHES "^([^/]+)/(.*/)?test_([^/]+)\\.(c|py)$")
    continue()
  endif()
  set(kind ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_3})
  if(CMAKE_MATCH_4 STREQUAL "c")
    pelton_test_program(test_${kind}_${name} ${file})
    pelton_test(${kind}.${name} ${kind} test_${kind}_${name})
  elseif(python)
    pelton_test(${kind}.${name}.py ${kind} ${python} ${file})
  endif()
endforeach()

# ---- data files with one runner ----------------------------------------------------------------------------------

foreach(pair cases:txt passes:pir)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 kind)
  list(GET pair 1 extension)
  file(GLOB runner CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/*.c)
  list(FILTER runner EXCLUDE REGEX "/test_[^/]*$")
  file(GLOB_RECURSE data CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${kind}/*.${extension})
  if(runner)
    pelton_test_program(run_${kind} ${runner})
    foreach(file IN LISTS data)
      get_filename_component(name ${file} NAME_WLE)
      if(NOT name MATCHES "^tensor_") # chains of nodes in 16 bits: the target cuda's alone
        pelton_test(${kind}.${name} ${kind} run_${kind} ${file})
      endif()
    endforeach()
  endif()
endforeach()

# The same problems on the target cuda, over the fake driver. The slow ones have the label "long".
if(TARGET run_cases)
  file(GLOB data CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cases/*.txt)
  foreach(file IN LISTS data)
    get_filename_component(name ${file} NAME_WLE)
    set(label cases)
    if(name MATCHES "^(conv|reduce|conv_transpose|tensor_cores|tensor_chains)$")
      set(label long)
    endif()
    pelton_test(cases_cuda.${name} ${label} run_cases ${file})
    set_property(TEST cases_cuda.${name} APPEND PROPERTY ENVIRONMENT
      PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=${PELTON_FAKE_CUDA})
  endforeach()
  # Tensor cores as an older device has them, and TF32.
  foreach(name matmul conv)
    pelton_test(cases_cuda_sm80.${name} long run_cases ${PROJECT_SOURCE_DIR}/tests/cases/${name}.txt)
    set_property(TEST cases_cuda_sm80.${name} APPEND PROPERTY ENVIRONMENT
      PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=${PELTON_FAKE_CUDA} PELTON_CASES_CAPABILITY=80
      PELTON_CASES_TF32=1 PELTON_CASES_TACTIC=_mma)
  endforeach()
  # Chains where a block has the least shared memory.
  pelton_test(cases_cuda_sm75.tensor_chain_limits cases run_cases ${PROJECT_SOURCE_DIR}/tests/cases/tensor_chain_limits.txt)
  set_property(TEST cases_cuda_sm75.tensor_chain_limits APPEND PROPERTY ENVIRONMENT
    PELTON_CASES_TARGET=cuda PELTON_CASES_LIBRARIES=${PELTON_FAKE_CUDA} PELTON_CASES_CAPABILITY=75
    PELTON_CASES_TACTIC=chain)
endif()

# Kernels that were compiled with Pelton are found again, for each kind of device that they are meant for: there is no
# NVRTC that could compile one.
if(TARGET pelton_imagined)
  foreach(capability 75 80 86 89 90 100 103 120 121)
    pelton_test(target.builtin_${capability} target ${CMAKE_COMMAND} -E env PELTON_FAKE_CUDA_IMAGINE=${capability}
      $<TARGET_FILE:pelton_command> build src/targets/cuda/builtin.pir --target cuda --level 0
      --device-libraries ${PROJECT_BINARY_DIR}/builtin/alone --only-kernels
      -o ${PROJECT_BINARY_DIR}/builtin/test_${capability}.pelton)
  endforeach()
  foreach(capability 80 86 89 90 100 120)
    # And the kernels of peaks are ones that NVRTC takes.
    pelton_test(target.builtin_peaks_${capability} target ${CMAKE_COMMAND} -E env
      PELTON_FAKE_CUDA_IMAGINE=${capability} $<TARGET_FILE:pelton_command> devices
      --device-libraries ${PROJECT_BINARY_DIR}/builtin)
    set_tests_properties(target.builtin_peaks_${capability} PROPERTIES
      PASS_REGULAR_EXPRESSION "tf32_tensor" FAIL_REGULAR_EXPRESSION "not known")
  endforeach()
endif()

# ---- fuzz targets ------------------------------------------------------------------------------------------------

file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(file IN LISTS files)
  get_filename_component(program ${file} NAME_WLE)
  string(REGEX REPLACE "^fuzz_" "" name ${program})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(PELTON_FUZZ)
    pelton_test_program(${program} ${file})
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    # What libFuzzer finds goes to its first folder, which must not be the sources'.
    set(work ${PROJECT_BINARY_DIR}/fuzz-work/${name})
    file(MAKE_DIRECTORY ${work})
    pelton_test(fuzz.${name} fuzz ${program} -runs=2000 -seed=1 -artifact_prefix=${work}- ${work} ${corpus})
  else()
    pelton_test_program(${program} ${file} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    pelton_test(fuzz.${name} fuzz ${program} ${corpus})
  endif()
endforeach()
