# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
add_library(late_plugin SHARED hook/late_plugin.cc)
target_link_libraries(late_plugin PRIVATE agnocast::agnocast agnocast_warnings ${CMAKE_DL_LIBS})
add_executable(late_loader hook/late_loader.cc)
target_link_libraries(late_loader PRIVATE agnocast_warnings ${CMAKE_DL_LIBS})
add_executable(heap_of_all hook/heap_of_all.cc)
target_link_libraries(heap_of_all PRIVATE agnocast::agnocast agnocast_warnings)

add_executable(hook_test hook/hook_test.cc)
target_link_libraries(hook_test PRIVATE agnocast_test_support agnocast_warnings)
target_compile_definitions(hook_test PRIVATE
  AGNOCAST_HEAPHOOK="$<TARGET_FILE:agnocast_heaphook>"
  AGNOCAST_LATE_LOADER="$<TARGET_FILE:late_loader>"
  AGNOCAST_LATE_PLUGIN="$<TARGET_FILE:late_plugin>"
  AGNOCAST_HEAP_OF_ALL="$<TARGET_FILE:heap_of_all>")
add_dependencies(hook_test agnocast_heaphook late_loader late_plugin heap_of_all)
gtest_discover_tests(hook_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
