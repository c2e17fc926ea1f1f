# tidings_precompile(TARGET OWNER header...)
#
# With TIDINGS_PRECOMPILE_HEADERS, the sources of TARGET find these headers parsed already. OWNER is the target that parses
# them for all that name it; TARGET itself may be it. Off by default, since it hides an #include that is missing. It does
# nothing in a build with ccache, which cannot keep what was compiled with a precompiled header.
function(tidings_precompile target owner)
  if(NOT TIDINGS_PRECOMPILE_HEADERS OR CMAKE_CXX_COMPILER_LAUNCHER)
    return()
  endif()
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()
