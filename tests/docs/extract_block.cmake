# cmake -D DOCUMENT=FILE -D HEADING=... -D LANGUAGE=... -D OUTPUT=FILE -P extract_block.cmake
#
# Writes the first block ```LANGUAGE below "## HEADING" of a Markdown document to a file. Fails if there is none.
file(READ "${DOCUMENT}" rest)

# Leaves in `rest` what comes after the first `mark`.
macro(skip_past mark)
  string(FIND "${rest}" "${mark}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${DOCUMENT} has no block of ${LANGUAGE} under '${HEADING}': '${mark}' was not found")
  endif()
  string(LENGTH "${mark}" length)
  math(EXPR at "${at} + ${length}")
  string(SUBSTRING "${rest}" ${at} -1 rest)
endmacro()

skip_past("\n## ${HEADING}\n")
skip_past("\n```${LANGUAGE}\n")
string(FIND "${rest}" "\n```\n" end)
if(end EQUAL -1)
  message(FATAL_ERROR "${DOCUMENT}: the block of ${LANGUAGE} under '${HEADING}' does not end")
endif()
math(EXPR end "${end} + 1")
string(SUBSTRING "${rest}" 0 ${end} block)
file(WRITE "${OUTPUT}" "${block}")
