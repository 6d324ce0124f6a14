# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
if(TARGET agnocast-cli)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_executable(cli_robot cli/robot.cc)
  target_link_libraries(cli_robot PRIVATE agnocast::agnocast agnocast_warnings)
  add_test(NAME cli
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/cli/cli_test.py $<TARGET_FILE:agnocast-cli>
            $<TARGET_FILE:cli_robot>)
  set_tests_properties(cli PROPERTIES TIMEOUT 300)
endif()
