# The command `pelton`: one file a subcommand, with data/ (tensors in files) and text/ (options, JSON, tables) beneath, over
# the public headers only, with the library inside, so that the one file can be copied to another machine.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/pelton/*.c)
if(sources)
  add_executable(pelton_command ${sources})
  set_target_properties(pelton_command PROPERTIES OUTPUT_NAME pelton)
  target_include_directories(pelton_command PRIVATE ${PROJECT_SOURCE_DIR}/tools/pelton)
  target_link_libraries(pelton_command PRIVATE pelton_options pelton_static)
  install(TARGETS pelton_command)
endif()
