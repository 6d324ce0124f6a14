# The ends of other systems: each a program of its own, built where its package is there.
# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

# agnocast_bench_peer(NAME FOUND LIBRARY...): agnocast-bench-NAME from ends/NAME.cc
function(agnocast_bench_peer name found)
  if(NOT found)
    message(STATUS "agnocast-bench-${name} is left out: its package was not found")
    return()
  endif()
  add_executable(agnocast-bench-${name} ends/${name}.cc)
  target_link_libraries(agnocast-bench-${name} PRIVATE bench_harness ${ARGN})
  set_target_properties(agnocast-bench-${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endfunction()

find_path(ZEROMQ_INCLUDE zmq.h)
find_library(ZEROMQ_LIBRARY zmq)
mark_as_advanced(ZEROMQ_INCLUDE ZEROMQ_LIBRARY)
set(ZEROMQ_FOUND OFF)
if(ZEROMQ_INCLUDE AND ZEROMQ_LIBRARY)
  set(ZEROMQ_FOUND ON)
endif()
agnocast_bench_peer(zeromq ${ZEROMQ_FOUND} ${ZEROMQ_LIBRARY})
