# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
agnocast_unit_test(heap_test ${src}/heap/heap_test.cc ${src}/heap/page_heap_test.cc
  ${src}/heap/slab_heap_test.cc)
agnocast_unit_test(ledger_test ${src}/ledger/ledger_test.cc)

# With its own copy of the ledger, so that the sanitizers watch it in every build.
add_executable(ledger_fuzz ${src}/ledger/ledger_fuzz.cc ${src}/ledger/ledger.c)
target_include_directories(ledger_fuzz PRIVATE ${src})
target_link_libraries(ledger_fuzz PRIVATE agnocast_warnings)
if(NOT AGNOCAST_SANITIZE)
  target_compile_options(ledger_fuzz PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(ledger_fuzz PRIVATE -fsanitize=address,undefined)
endif()
add_test(NAME ledger_fuzz COMMAND ledger_fuzz 2000)
set_tests_properties(ledger_fuzz PROPERTIES TIMEOUT 120)
agnocast_unit_test(file_lock_test ${src}/os/file_lock_test.cc)
agnocast_unit_test(logind_test ${src}/introspection/logind_test.cc)
agnocast_unit_test(settings_test ${src}/base/settings_test.cc)
agnocast_unit_test(types_test ${src}/types/type_description_test.cc
  ${src}/types/message_text_test.cc ${src}/types/message_value_test.cc
  ${src}/types/message_view_test.cc ${src}/types/test_arena.cc)
agnocast_unit_test(memory_test ${src}/memory/control_space_test.cc ${src}/memory/hint_set_test.cc)
agnocast_unit_test(short_lock_test ${src}/os/short_lock_test.cc)
agnocast_unit_test(names_test ${src}/node/names_test.cc)
agnocast_unit_test(topic_test ${src}/topic/ring_test.cc ${src}/topic/retired_messages_test.cc
                   ${src}/topic/look_request_test.cc)
agnocast_unit_test(callback_gate_test ${src}/node/callback_gate_test.cc)
agnocast_unit_test(workers_test ${src}/runtime/workers_test.cc)
