# cmake -D PROGRAM=... -D EXPECTED=FILE -D FOLDER=... -P run_and_compare.cmake
#
# Runs a program in FOLDER, emptied before, and fails unless it ends with 0 and its standard output is what EXPECTED holds.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(
  COMMAND ${PROGRAM}
  WORKING_DIRECTORY ${FOLDER}
  OUTPUT_VARIABLE output
  ERROR_VARIABLE messages
  RESULT_VARIABLE status)
file(READ ${EXPECTED} expected)
if(NOT status STREQUAL "0" OR NOT output STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}.\n--- expected\n${expected}--- printed\n${output}--- on standard "
                      "error\n${messages}")
endif()
