# Kernels of the target cuda that are compiled with Pelton, so that NVRTC is not asked for them (PELTON_CUDA_FATBINS).
#
#   OFF (the default)   none: NVRTC compiles what an engine does not hold
#   ON                  they are; an error without nvcc's toolkit
#   AUTO                they are where nvcc is found
#
# The toolkit's NVRTC compiles them here as it would on the device, with the same texts: pelton_first, the command
# without such kernels, builds an engine of src/targets/cuda/builtin.pir for devices that are only imagined (the tests'
# driver), and the library takes in the engine files. Two or three minutes of one processor's time, hence not by default.
set(PELTON_CUDA_FATBINS OFF CACHE STRING "Compile common CUDA kernels with Pelton: ON, OFF, AUTO (where nvcc is)")
set_property(CACHE PELTON_CUDA_FATBINS PROPERTY STRINGS OFF ON AUTO)
# Code of 80 runs on 86, 87 and 89 too, and that of 86 on 89; but these have less shared memory than 80, so that other
# tiles are chosen for them. The others are PTX, which drivers translate: of 75 for that alone, of 100 for all that are
# newer, of 120 with tiles for its smaller shared memory.
set(PELTON_BUILTIN_FORMS 80 86 90 75-virtual 100-virtual 120-virtual)
# To have PTX made, a device that is newer is used as one of these.
set(newer_75 80)
set(newer_100 103)
set(newer_120 121)

set(builtin_none ${PELTON_GENERATED}/builtin_none.c)
file(CONFIGURE OUTPUT ${builtin_none} @ONLY CONTENT
  "#include \"runtime/builtin.h\"\nconst pn_builtin_image pn_builtin_images[] = {{NULL, NULL}};\n")

set(nvrtc "")
if(PELTON_CUDA_FATBINS AND PELTON_TARGET_CUDA AND PELTON_BUILD_TOOLS AND NOT PELTON_RUNTIME_ONLY)
  find_program(PELTON_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(PELTON_NVCC)
    file(REAL_PATH ${PELTON_NVCC} nvcc)
    get_filename_component(toolkit ${nvcc} DIRECTORY)
    foreach(version 13 12)
      find_library(PELTON_NVRTC_${version} libnvrtc.so.${version} PATHS ${toolkit}/../lib64 /usr/local/cuda/lib64)
      if(PELTON_NVRTC_${version} AND NOT nvrtc)
        set(nvrtc ${PELTON_NVRTC_${version}})
      endif()
    endforeach()
  endif()
  if(NOT nvrtc AND NOT PELTON_CUDA_FATBINS STREQUAL "AUTO")
    message(FATAL_ERROR "PELTON_CUDA_FATBINS=${PELTON_CUDA_FATBINS} wants nvcc's toolkit with NVRTC; there is none")
  endif()
endif()

if(NOT nvrtc)
  pelton_layer(builtin "${builtin_none}" all_objects runtime_objects)
  return()
endif()
message(STATUS "CUDA kernels are compiled by ${nvrtc}")
enable_language(ASM)

# The command without them.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/pelton/*.c)
add_executable(pelton_first ${sources} ${all_objects} ${builtin_none})
target_include_directories(pelton_first PRIVATE ${PROJECT_SOURCE_DIR}/tools/pelton ${PROJECT_SOURCE_DIR}/include
  ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(pelton_first PRIVATE pelton_options ${image_libraries} Threads::Threads ${CMAKE_DL_LIBS} m)

# A driver of devices that are imagined, and the toolkit's NVRTC beside it.
set(folder ${PROJECT_BINARY_DIR}/builtin)
file(MAKE_DIRECTORY ${folder})
get_filename_component(nvrtc_name ${nvrtc} NAME)
file(CREATE_LINK ${nvrtc} ${folder}/${nvrtc_name} SYMBOLIC)
add_library(pelton_imagined MODULE ${PROJECT_SOURCE_DIR}/tests/fake_cuda/driver.c)
target_compile_options(pelton_imagined PRIVATE -w -fno-sanitize=all)
set_target_properties(pelton_imagined PROPERTIES PREFIX "" OUTPUT_NAME libcuda.so.1 SUFFIX "" C_EXTENSIONS ON
  C_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY ${folder})
target_link_libraries(pelton_imagined PRIVATE ${CMAKE_DL_LIBS} Threads::Threads)
file(MAKE_DIRECTORY ${folder}/alone) # without NVRTC, for the tests
file(CREATE_LINK ${folder}/libcuda.so.1 ${folder}/alone/libcuda.so.1 SYMBOLIC)

set(files "")
set(code ".section .rodata\n")
set(declared "#include \"runtime/builtin.h\"\n")
set(table "")
execute_process(COMMAND ${nvcc} --list-gpu-arch OUTPUT_VARIABLE known)
foreach(form IN LISTS PELTON_BUILTIN_FORMS)
  string(REGEX MATCH "^[0-9]+" capability ${form})
  if(NOT known MATCHES "compute_${capability}\n")
    message(STATUS "CUDA kernels for ${capability} are left out: ${nvcc} does not know it")
    continue()
  endif()
  set(imagine ${capability})
  set(as "")
  if(form MATCHES "-virtual$")
    set(imagine ${newer_${capability}})
    set(as --cpu-isa sm_${capability})
  endif()
  set(form ${capability})
  set(file ${folder}/kernels_${form}.pelton)
  add_custom_command(OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E env PELTON_FAKE_CUDA_IMAGINE=${imagine} $<TARGET_FILE:pelton_first> build
      ${PROJECT_SOURCE_DIR}/src/targets/cuda/builtin.pir -o ${file} --target cuda --device-libraries ${folder} ${as}
      --level 0 --only-kernels --json > ${folder}/kernels_${form}.json
    DEPENDS pelton_first pelton_imagined ${PROJECT_SOURCE_DIR}/src/targets/cuda/builtin.pir
    COMMENT "Compiling CUDA kernels for sm_${form}" VERBATIM)
  list(APPEND files ${file})
  string(APPEND code ".balign 64\n.globl pn_builtin_${form}_begin, pn_builtin_${form}_end\n"
    ".hidden pn_builtin_${form}_begin, pn_builtin_${form}_end\n"
    "pn_builtin_${form}_begin: .incbin \"${file}\"\npn_builtin_${form}_end:\n")
  string(APPEND declared "extern const unsigned char pn_builtin_${form}_begin[], pn_builtin_${form}_end[];\n")
  string(APPEND table "  {pn_builtin_${form}_begin, pn_builtin_${form}_end},\n")
endforeach()
file(CONFIGURE OUTPUT ${folder}/code.S CONTENT "${code}.section .note.GNU-stack,\"\",%progbits\n" @ONLY)
file(CONFIGURE OUTPUT ${folder}/table.c @ONLY CONTENT
  "${declared}const pn_builtin_image pn_builtin_images[] = {\n${table}  {NULL, NULL},\n};\n")
set_source_files_properties(${folder}/code.S PROPERTIES OBJECT_DEPENDS "${files}")
pelton_layer(builtin "${folder}/table.c;${folder}/code.S" all_objects runtime_objects)
