# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
agnocast_process_test(machine_tests machine/machine.cc machine/full_shm_test.cc machine/limits_test.cc machine/old_kernel_test.cc machine/namespaces_test.cc machine/programs_test.cc machine/endings_test.cc
  machine/stopped_test.cc machine/restarts_test.cc machine/environment_test.cc
  support/domain.cc ${src}/ledger/ledger.c)
target_include_directories(machine_tests PRIVATE ${src})
