# The libraries. Each layer (a folder of src/) is compiled once, as an object set, and linked into
#
#   libpelton      everything                                   shared and static
#   libpelton_rt   what it takes to load and run an engine      shared and static
#
# The runtime holds no importer and no pass; of src/api it has the files named rt_*.c, which both libraries have, and
# alone_*.c, which say in its place what libpelton has and it has not.
find_package(Threads REQUIRED)

set(all_objects "")
set(runtime_objects "")

# Compiles |sources| as the object set pelton_<layer> and adds it to the lists named after it.
function(pelton_layer layer sources)
  if(NOT sources)
    return()
  endif()
  add_library(pelton_${layer} OBJECT ${sources})
  target_link_libraries(pelton_${layer} PRIVATE pelton_options)
  target_include_directories(pelton_${layer} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PELTON_GENERATED})
  foreach(list IN LISTS ARGN)
    set(${list} ${${list}} $<TARGET_OBJECTS:pelton_${layer}> PARENT_SCOPE)
  endforeach()
endfunction()

foreach(layer base op ir target plan engine runtime)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c)
  pelton_layer(${layer} "${sources}" all_objects runtime_objects)
endforeach()
pelton_layer(targets "${PELTON_TARGET_SOURCES}" all_objects runtime_objects)

file(GLOB_RECURSE api CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/api/*.c)
set(api_runtime ${api})
list(FILTER api_runtime INCLUDE REGEX "/rt_[^/]*\\.c$")
set(api_alone ${api})
list(FILTER api_alone INCLUDE REGEX "/alone_[^/]*\\.c$")
list(FILTER api EXCLUDE REGEX "/(rt|alone)_[^/]*\\.c$")
pelton_layer(api_runtime "${api_runtime}" all_objects runtime_objects)
pelton_layer(api_alone "${api_alone}" runtime_objects)

set(image_libraries "")
set(PELTON_STATIC_LIBS -lm ${CMAKE_DL_LIBS} -pthread) # as a consumer of the static library spells them
if(NOT PELTON_RUNTIME_ONLY)
  pelton_layer(api "${api}" all_objects)
  foreach(layer import passes precision vision compress protect)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c)
    pelton_layer(${layer} "${sources}" all_objects)
  endforeach()

  # Image decoding, all of it optional: src/vision says at run time what it was built without.
  if(TARGET pelton_vision)
    find_package(JPEG QUIET)
    if(JPEG_FOUND)
      target_compile_definitions(pelton_vision PRIVATE PELTON_HAVE_JPEG=1)
      target_include_directories(pelton_vision SYSTEM PRIVATE ${JPEG_INCLUDE_DIRS})
      list(APPEND image_libraries JPEG::JPEG)
      list(APPEND PELTON_STATIC_LIBS -ljpeg)
    endif()
    find_package(PNG QUIET)
    if(PNG_FOUND)
      target_compile_definitions(pelton_vision PRIVATE PELTON_HAVE_PNG=1)
      target_include_directories(pelton_vision SYSTEM PRIVATE ${PNG_INCLUDE_DIRS})
      list(APPEND image_libraries PNG::PNG)
      list(APPEND PELTON_STATIC_LIBS -lpng)
    endif()
    find_path(WEBP_INCLUDE_DIR webp/decode.h)
    find_library(WEBP_LIBRARY webp)
    mark_as_advanced(WEBP_INCLUDE_DIR WEBP_LIBRARY)
    set(webp OFF)
    if(WEBP_INCLUDE_DIR AND WEBP_LIBRARY)
      set(webp ON)
      target_compile_definitions(pelton_vision PRIVATE PELTON_HAVE_WEBP=1)
      target_include_directories(pelton_vision SYSTEM PRIVATE ${WEBP_INCLUDE_DIR})
      list(APPEND image_libraries ${WEBP_LIBRARY})
      list(APPEND PELTON_STATIC_LIBS -lwebp)
    endif()
    find_package(TIFF 4.5 QUIET) # earlier ones have no messages of one file's own
    if(TIFF_FOUND)
      target_compile_definitions(pelton_vision PRIVATE PELTON_HAVE_TIFF=1)
      target_include_directories(pelton_vision SYSTEM PRIVATE ${TIFF_INCLUDE_DIRS})
      list(APPEND image_libraries TIFF::TIFF)
      list(APPEND PELTON_STATIC_LIBS -ltiff)
    endif()
    find_path(OPENJPEG_INCLUDE_DIR openjpeg.h PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4 openjpeg-2.3)
    find_library(OPENJPEG_LIBRARY openjp2)
    mark_as_advanced(OPENJPEG_INCLUDE_DIR OPENJPEG_LIBRARY)
    set(jpeg2000 OFF)
    if(OPENJPEG_INCLUDE_DIR AND OPENJPEG_LIBRARY)
      set(jpeg2000 ON)
      target_compile_definitions(pelton_vision PRIVATE PELTON_HAVE_JPEG2000=1)
      target_include_directories(pelton_vision SYSTEM PRIVATE ${OPENJPEG_INCLUDE_DIR})
      list(APPEND image_libraries ${OPENJPEG_LIBRARY})
      list(APPEND PELTON_STATIC_LIBS -lopenjp2)
    endif()
    message(STATUS
      "Images: jpeg ${JPEG_FOUND}, png ${PNG_FOUND}, webp ${webp}, tiff ${TIFF_FOUND}, jpeg 2000 ${jpeg2000}")
  endif()
endif()

include(builtin)

# One library in both forms. |name| is the file's name, |export| the imported target's (pelton::|export|).
function(pelton_library name export objects)
  add_library(${name} SHARED ${objects})
  set_target_properties(${name} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME ${export})
  if(NOT PELTON_SANITIZE AND NOT PELTON_FUZZ)
    target_link_options(${name} PRIVATE -Wl,-z,defs) # sanitizers leave their symbols to the executable
  endif()
  target_link_libraries(${name} PRIVATE ${ARGN} Threads::Threads ${CMAKE_DL_LIBS} m)
  add_library(pelton::${export} ALIAS ${name})

  add_library(${name}_static STATIC ${objects})
  set_target_properties(${name}_static PROPERTIES OUTPUT_NAME ${name} EXPORT_NAME ${export}-static)
  # In this tree by target; once installed by name, so that users of the shared library need no image packages.
  target_link_libraries(${name}_static INTERFACE "$<BUILD_INTERFACE:${ARGN};Threads::Threads>" ${CMAKE_DL_LIBS} m)
  if(ARGN)
    target_link_libraries(${name}_static INTERFACE "$<INSTALL_INTERFACE:${PELTON_STATIC_LIBS}>")
  else()
    target_link_libraries(${name}_static INTERFACE "$<INSTALL_INTERFACE:-pthread>")
  endif()
  add_library(pelton::${export}-static ALIAS ${name}_static)

  foreach(library ${name} ${name}_static)
    set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
    target_include_directories(${library} INTERFACE
      "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  endforeach()
endfunction()

pelton_library(pelton_rt runtime "${runtime_objects}")
if(NOT PELTON_RUNTIME_ONLY)
  pelton_library(pelton pelton "${all_objects}" ${image_libraries})
endif()
