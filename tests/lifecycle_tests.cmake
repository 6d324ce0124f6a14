# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
agnocast_process_test(lifecycle_tests
  lifecycle/death_test.cc lifecycle/fork_test.cc lifecycle/start_stop_test.cc)
