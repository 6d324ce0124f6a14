# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
if(NOT TARGET agnocast-cli)
  return()
endif()
find_package(Python3 QUIET COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
  agnocast_leave_out("the tests of the command agnocast" Python3 python3)
  return()
endif()

add_executable(cli_robot cli/robot.cc)
target_link_libraries(cli_robot PRIVATE agnocast::agnocast agnocast_warnings)
add_test(NAME cli
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/cli/cli_test.py $<TARGET_FILE:agnocast-cli>
          $<TARGET_FILE:cli_robot>)
set_tests_properties(cli PROPERTIES TIMEOUT 300)
