# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
foreach(test audit verification message_types message_memory message_traits delivery_matrix topology qos executor callback_safety
        stopping real_time wait_set hold_limit_race loan loan_threads large_message private_scope library_memory control_part allocation_family lifetime steady_state)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/process/${test}_test.cc)
    agnocast_process_test(${test}_test process/${test}_test.cc)
  endif()
endforeach()
target_compile_options(large_message_test PRIVATE -O0)
if(AGNOCAST_SANITIZE MATCHES address)
  agnocast_process_test(poison_test sanitizers/poison_test.cc)
endif()
