# Run by CTest, before it runs tests: one test for each suite of a program, which all share one process. Starting a
# sanitized program takes longer than most tests do. EXECUTABLE, PREFIX, TIMEOUT and LABELS are set by the file that
# includes this one.

# What takes longest begins first; the others in the order of how many tests they have.
set(long_suites PagesInTurn Whose/FlowSweepTest Whose/PublishSweepTest Target/FuzzCorpus Simulation Crash
                Whose/TracedSweepTest RedactionCorpusInToolsTest MetricsTest PublishInTest RecoveryTest)

execute_process(COMMAND ${EXECUTABLE} --gtest_list_tests OUTPUT_VARIABLE lines RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  # What cannot be listed is a test that fails.
  add_test("${PREFIX}suites" ${EXECUTABLE} --gtest_list_tests)
  return()
endif()
string(REGEX REPLACE "[[;]" "_" lines "${lines}")
string(REPLACE "\n" ";" lines "${lines}")
set(suites "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([^ ]+)\\.( |$)")
    set(suite "${CMAKE_MATCH_1}")
    list(APPEND suites "${suite}")
    set("count_${suite}" 0)
  elseif(line MATCHES "^  [^ ]")
    math(EXPR "count_${suite}" "${count_${suite}} + 1")
  endif()
endforeach()
foreach(suite IN LISTS suites)
  set(cost "${count_${suite}}")
  list(FIND long_suites "${suite}" place)
  if(place GREATER -1)
    math(EXPR cost "${cost} + 1000")
  endif()
  add_test("${PREFIX}${suite}" ${EXECUTABLE} "--gtest_filter=${suite}.*")
  set_tests_properties("${PREFIX}${suite}" PROPERTIES TIMEOUT "${TIMEOUT}" LABELS "${LABELS}" COST "${cost}")
endforeach()
