# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
# Runs only where the kernel module is loaded: see tests/kmod/run.
add_executable(kmod_test EXCLUDE_FROM_ALL kmod/kmod_test.cc)
target_include_directories(kmod_test PRIVATE ${src})
target_link_libraries(kmod_test PRIVATE agnocast_test_support agnocast_warnings)
add_executable(second_host_test EXCLUDE_FROM_ALL kmod/second_host_test.cc)
target_link_libraries(second_host_test PRIVATE agnocast::agnocast agnocast_test_support agnocast_warnings)
