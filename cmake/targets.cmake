# Targets and tactics, found by name.
#
#   src/targets/<t>/target.c            defines  const pn_target pn_target_<t>
#   src/targets/<t>/tactics/**/<name>.c defines  const pn_tactic pn_tactic_<t>_<name>
#
# The lists that the sources include (with their macro defined) are written to the build folder:
#
#   targets_list.inc        PN_TARGET(pn_target_<t>)
#   <t>_tactics_list.inc    PN_TACTIC(pn_tactic_<t>_<name>)
#
# PELTON_TARGET_<T>=OFF leaves a target out.
include(kernels)
include(embed)

set(PELTON_TARGET_SOURCES "")
set(target_lines "")
file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES ON ${PROJECT_SOURCE_DIR}/src/targets/*)
foreach(folder IN LISTS folders)
  if(NOT IS_DIRECTORY ${folder})
    if(folder MATCHES "\\.c$")
      list(APPEND PELTON_TARGET_SOURCES ${folder})
    endif()
    continue()
  endif()
  get_filename_component(name ${folder} NAME)
  string(TOUPPER ${name} upper)
  option(PELTON_TARGET_${upper} "Build the target ${name}" ON)
  if(NOT PELTON_TARGET_${upper})
    message(STATUS "Target left out: ${name}")
    continue()
  endif()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.c)
  # By the path beneath the target: the checkout itself may lie in a folder of that name.
  file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS ${folder}/kernels/*.c)
  if(kernel_sources)
    list(REMOVE_ITEM sources ${kernel_sources})
  endif()
  # Kernels that are compiled at run time travel as text.
  file(GLOB_RECURSE kernel_texts CONFIGURE_DEPENDS ${folder}/kernels/*.cu ${folder}/kernels/*.cuh ${folder}/kernels/arguments.h)
  if(kernel_texts)
    pelton_embed(${PELTON_GENERATED}/${name}_sources_list.inc ${kernel_texts})
  endif()
  if(name STREQUAL "cpu")
    pelton_cpu_kernels(kernels)
    list(APPEND sources ${kernels})
  endif()
  list(APPEND PELTON_TARGET_SOURCES ${sources})

  file(GLOB_RECURSE tactics CONFIGURE_DEPENDS ${folder}/tactics/*.c)
  set(lines "")
  foreach(tactic IN LISTS tactics)
    get_filename_component(base ${tactic} NAME_WLE)
    string(MAKE_C_IDENTIFIER "pn_tactic_${name}_${base}" symbol)
    string(APPEND lines "PN_TACTIC(${symbol})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PELTON_GENERATED}/${name}_tactics_list.inc CONTENT "${lines}" @ONLY)

  if(EXISTS ${folder}/target.c)
    string(MAKE_C_IDENTIFIER "pn_target_${name}" symbol)
    string(APPEND target_lines "PN_TARGET(${symbol})\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${PELTON_GENERATED}/targets_list.inc CONTENT "${target_lines}" @ONLY)
