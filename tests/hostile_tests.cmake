# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
# Attackers know the layouts.
agnocast_process_test(hostile_tests
  hostile/removed_test.cc hostile/truncation_test.cc hostile/wild_peer_test.cc hostile/wild_writer_test.cc)
target_include_directories(hostile_tests PRIVATE ${PROJECT_SOURCE_DIR}/src)
