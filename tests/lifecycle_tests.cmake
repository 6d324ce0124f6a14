# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
agnocast_process_test(lifecycle_tests
  lifecycle/access_test.cc lifecycle/bad_registry_test.cc lifecycle/bad_setting_test.cc
  lifecycle/death_test.cc lifecycle/fork_again_test.cc lifecycle/fork_test.cc
  lifecycle/full_memory_test.cc lifecycle/heap_growth_test.cc lifecycle/hostile_process_test.cc
  lifecycle/registry_lock_test.cc lifecycle/second_join_test.cc lifecycle/start_stop_test.cc)
# The registry as its bytes say.
target_include_directories(lifecycle_tests PRIVATE ${src})
