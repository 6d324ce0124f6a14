# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
foreach(test allocation_family audit callback_safety closing control_part delivery_matrix depth executor
        hold_limit_race kept_lock large_message library_memory many_members lifetime loan loan_threads message_memory message_traits
        message_types private_scope qos real_time steady_state stopping topology verification wait_set)
  agnocast_process_test(${test}_test process/${test}_test.cc)
endforeach()
target_compile_options(large_message_test PRIVATE -O0)
set_target_properties(large_message_test PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
if(AGNOCAST_SANITIZE MATCHES address)
  agnocast_process_test(poison_test sanitizers/poison_test.cc)
endif()
