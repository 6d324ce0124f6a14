# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
find_package(CLI11 QUIET)
if(NOT CLI11_FOUND)
  agnocast_leave_out("the storm of random kills" CLI11 libcli11-dev)
  return()
endif()

# The actors see the public interface only; the conductor is not even linked with the library.
add_executable(agnocast_storm_actor storm/actor.cc storm/ends.cc storm/stable_actor.cc)
target_link_libraries(agnocast_storm_actor PRIVATE agnocast::agnocast agnocast_warnings)
target_include_directories(agnocast_storm_actor PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})

add_executable(agnocast_storm storm/main.cc storm/conductor.cc storm/report.cc support/domain.cc support/stacks.cc
  ${PROJECT_SOURCE_DIR}/src/ledger/ledger.c)
target_link_libraries(agnocast_storm PRIVATE agnocast_warnings CLI11::CLI11 Threads::Threads rt)
target_include_directories(agnocast_storm PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
add_dependencies(agnocast_storm agnocast_storm_actor)

# A short one with every ctest; the long one is scripts/test's (or: ctest -C Storm -L storm).
add_test(NAME storm.smoke COMMAND agnocast_storm --seconds 5)
add_test(NAME storm.smoke_heap_all COMMAND agnocast_storm --seconds 3)
add_test(NAME storm COMMAND agnocast_storm --seconds 60 CONFIGURATIONS Storm)
set_tests_properties(storm.smoke storm.smoke_heap_all storm PROPERTIES LABELS storm TIMEOUT 400)
set_tests_properties(storm.smoke_heap_all PROPERTIES ENVIRONMENT AGNOCAST_HEAP=all)
