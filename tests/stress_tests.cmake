# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
find_package(CLI11 QUIET)
if(NOT CLI11_FOUND)
  agnocast_leave_out("the stress of random operations" CLI11 libcli11-dev)
  return()
endif()

# The actors see the public interface only; the conductor is not even linked with the library.
add_executable(agnocast_stress_actor stress/actor.cc stress/callback.cc stress/deeds.cc)
target_link_libraries(agnocast_stress_actor PRIVATE agnocast::agnocast agnocast_warnings)
target_include_directories(agnocast_stress_actor PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})

add_executable(agnocast_stress stress/main.cc stress/conductor.cc stress/report.cc support/domain.cc
  support/stacks.cc ${PROJECT_SOURCE_DIR}/src/ledger/ledger.c)
target_link_libraries(agnocast_stress PRIVATE agnocast_warnings CLI11::CLI11 Threads::Threads rt)
target_include_directories(agnocast_stress PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
add_dependencies(agnocast_stress agnocast_stress_actor)
if(AGNOCAST_SANITIZE)
  target_compile_definitions(agnocast_stress PRIVATE AGNOCAST_TEST_WINDOW="${AGNOCAST_TEST_WINDOW}")
endif()

# A short one with every ctest; the long one is scripts/test's (or: ctest -C Stress -L stress).
add_test(NAME stress.smoke COMMAND agnocast_stress --seconds 4)
add_test(NAME stress COMMAND agnocast_stress --seconds 60 CONFIGURATIONS Stress)
set_tests_properties(stress.smoke stress PROPERTIES LABELS "stress;agnocast_stress" TIMEOUT 400)
