# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
agnocast_process_test(lifecycle_tests
  lifecycle/access_test.cc lifecycle/bad_registry_test.cc lifecycle/bad_setting_test.cc
  lifecycle/death_test.cc lifecycle/fork_again_test.cc lifecycle/fork_test.cc
  lifecycle/full_memory_test.cc lifecycle/heap_growth_test.cc lifecycle/hostile_process_test.cc
  lifecycle/held_to_the_end_test.cc lifecycle/plugin_test.cc lifecycle/registry_lock_test.cc
  lifecycle/second_join_test.cc lifecycle/start_stop_test.cc lifecycle/threads_test.cc)
# The registry as its bytes say.
target_include_directories(lifecycle_tests PRIVATE ${src})

add_library(publishing_plugin MODULE lifecycle/plugin/publisher.cc)
target_link_libraries(publishing_plugin PRIVATE agnocast::agnocast agnocast_warnings)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(publishing_plugin PRIVATE -fno-gnu-unique)
endif()
add_library(slow_end SHARED lifecycle/slow_end/library.cc)
target_link_libraries(slow_end PRIVATE agnocast_warnings)
add_executable(ends_slowly lifecycle/slow_end/program.cc)
target_link_libraries(ends_slowly PRIVATE agnocast::agnocast slow_end agnocast_warnings)
target_compile_definitions(lifecycle_tests PRIVATE
  AGNOCAST_TEST_ENDS_SLOWLY="$<TARGET_FILE:ends_slowly>"
  AGNOCAST_TEST_PLUGIN="$<TARGET_FILE:publishing_plugin>")
target_link_libraries(lifecycle_tests PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(lifecycle_tests ends_slowly publishing_plugin)
