# Install: headers, libraries, find_package(pelton), pkg-config. Everything is relocatable.
include(CMakePackageConfigHelpers)

set(libraries pelton_rt pelton_rt_static)
if(NOT PELTON_RUNTIME_ONLY)
  list(APPEND libraries pelton pelton_static)
endif()
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pelton)

install(TARGETS ${libraries} EXPORT pelton-targets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pelton TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(EXPORT pelton-targets NAMESPACE pelton:: DESTINATION ${config_folder})

file(CONFIGURE OUTPUT ${PELTON_GENERATED}/pelton-config.cmake @ONLY CONTENT
"# Gives pelton::pelton and pelton::runtime (and pelton::pelton-static, pelton::runtime-static).
include(\${CMAKE_CURRENT_LIST_DIR}/pelton-targets.cmake)
foreach(component IN LISTS pelton_FIND_COMPONENTS)
  set(pelton_\${component}_FOUND OFF)
  if(TARGET pelton::\${component})
    set(pelton_\${component}_FOUND ON)
  elseif(pelton_FIND_REQUIRED_\${component})
    set(pelton_FOUND OFF)
    set(pelton_NOT_FOUND_MESSAGE \"pelton was built without '\${component}'\")
  endif()
endforeach()
")
write_basic_package_version_file(${PELTON_GENERATED}/pelton-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PELTON_GENERATED}/pelton-config.cmake ${PELTON_GENERATED}/pelton-config-version.cmake
        DESTINATION ${config_folder})

# |file|.pc for the library |name|, whose static form also needs |libs|.
function(pelton_pkg_config file name description libs)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE libdir)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
             OUTPUT_VARIABLE up)
  list(JOIN libs " " libs)
  file(CONFIGURE OUTPUT ${PELTON_GENERATED}/${file}.pc @ONLY CONTENT
"prefix=\${pcfiledir}/${up}
libdir=\${prefix}/${libdir}
includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}

Name: ${file}
Description: ${description}
Version: ${PROJECT_VERSION}
Cflags: -I\${includedir}
Libs: -L\${libdir} -l${name}
Libs.private: ${libs}
")
  install(FILES ${PELTON_GENERATED}/${file}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

pelton_pkg_config(pelton-runtime pelton_rt "Runs neural-network engines" "-lm;${CMAKE_DL_LIBS};-pthread")
if(NOT PELTON_RUNTIME_ONLY)
  pelton_pkg_config(pelton pelton "${PROJECT_DESCRIPTION}" "${PELTON_STATIC_LIBS}")
endif()
