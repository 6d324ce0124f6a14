# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

# Each allocation fails once. The failing malloc comes after the library's in the order of lookup.
if(NOT AGNOCAST_SANITIZE)
  add_library(failing_malloc SHARED out_of_memory/failing_malloc.cc)
  target_include_directories(failing_malloc PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_options(failing_malloc PRIVATE -fno-builtin)
  target_link_libraries(failing_malloc PRIVATE agnocast_warnings ${CMAKE_DL_LIBS})
  agnocast_process_test(out_of_memory_test out_of_memory/out_of_memory_test.cc
    out_of_memory/peers_test.cc)
  target_link_libraries(out_of_memory_test PRIVATE failing_malloc)
endif()
