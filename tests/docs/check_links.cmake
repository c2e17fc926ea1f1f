# cmake -D ROOT=... -P check_links.cmake
#
# Fails if a relative link `](path)` in a Markdown document of the repository leads to no file, or if
# docs/architecture.md names a source or header that does not exist.
file(GLOB_RECURSE documents "${ROOT}/docs/*.md")
list(APPEND documents "${ROOT}/README.md" "${ROOT}/CONTRIBUTING.md" "${ROOT}/CHANGELOG.md")
set(checked 0)
foreach(document IN LISTS documents)
  cmake_path(GET document PARENT_PATH folder)
  file(READ "${document}" text)
  # Brackets and semicolons have a meaning in CMake's lists.
  string(REPLACE ";" "," text "${text}")
  string(REPLACE "](" "<link>" text "${text}")
  string(REGEX MATCHALL "<link>[^):# ]+[)#]" links "${text}")
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^<link>(.*)[)#]$" "\\1" target "${link}")
    if(NOT EXISTS "${folder}/${target}")
      message(SEND_ERROR "${document} links to ${target}, which does not exist")
    endif()
    math(EXPR checked "${checked} + 1")
  endforeach()
endforeach()

file(GLOB_RECURSE sources RELATIVE "${ROOT}" "${ROOT}/events/*.?pp" "${ROOT}/logging/*.?pp" "${ROOT}/bus/*.?pp"
     "${ROOT}/deadletter/*.?pp" "${ROOT}/encryption/*.?pp" "${ROOT}/telemetry/*.?pp" "${ROOT}/tools/*.?pp" "${ROOT}/tests/architecture/*.?pp")
list(TRANSFORM sources PREPEND "/")
file(READ "${ROOT}/docs/architecture.md" text)
string(REPLACE ";" "," text "${text}")
string(REGEX MATCHALL "`[a-z0-9_/]+[.][ch]pp`" names "${text}")
foreach(name IN LISTS names)
  string(REPLACE "`" "" name "${name}")
  string(REPLACE "." "[.]" pattern "/${name}")
  set(found ${sources})
  list(FILTER found INCLUDE REGEX "${pattern}$")
  if(found STREQUAL "")
    message(SEND_ERROR "docs/architecture.md names ${name}, which does not exist")
  endif()
  math(EXPR checked "${checked} + 1")
endforeach()

message("${checked} links lead somewhere")
if(checked EQUAL 0)
  message(FATAL_ERROR "no links were found in ${ROOT}")
endif()
