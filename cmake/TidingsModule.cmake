# tidings_module(NAME [SOURCES file...] [PUBLIC_LINK target...] [PRIVATE_LINK target...])
#
# One module of the dependency line: target tidings_NAME, alias tidings::NAME, public headers below include/,
# private ones below src/. Warnings are never set here: they belong to the presets, not to those who consume tidings.
function(tidings_module name)
  cmake_parse_arguments(PARSE_ARGV 1 MODULE "" "" "SOURCES;PUBLIC_LINK;PRIVATE_LINK")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.hpp)
  add_library(tidings_${name} STATIC ${MODULE_SOURCES})
  add_library(tidings::${name} ALIAS tidings_${name})
  target_sources(
    tidings_${name}
    PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${headers})
  target_include_directories(tidings_${name} PRIVATE src)
  target_compile_features(tidings_${name} PUBLIC cxx_std_20)
  if(TIDINGS_KILL_POINTS)
    target_compile_definitions(tidings_${name} PUBLIC TIDINGS_KILL_POINTS)
  endif()
  target_link_libraries(
    tidings_${name}
    PUBLIC ${MODULE_PUBLIC_LINK}
    PRIVATE ${MODULE_PRIVATE_LINK})
  # A publish reads four thread-local variables of eight to forty bytes. Without this each read would be a call, since
  # the code may end up in a shared library.
  target_compile_options(tidings_${name} PRIVATE -ftls-model=initial-exec)
  tidings_precompile(tidings_${name} tidings_events <nlohmann/json.hpp> <chrono> <functional> <memory> <string> <vector>)
  set_target_properties(tidings_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON
                                                   VERIFY_INTERFACE_HEADER_SETS ON)
endfunction()
