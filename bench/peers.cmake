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
if(ZEROMQ_FOUND)
  target_sources(agnocast-bench-zeromq PRIVATE ends/zeromq_scale.cc)
endif()

find_package(CycloneDDS QUIET)
find_program(CYCLONEDDS_IDLC idlc)
mark_as_advanced(CYCLONEDDS_IDLC)
if(NOT CYCLONEDDS_IDLC)
  set(CycloneDDS_FOUND OFF)
endif()
if(CycloneDDS_FOUND)
  # The generated file is not ours to warn about.
  set_source_files_properties(${CMAKE_CURRENT_BINARY_DIR}/cyclonedds.c PROPERTIES COMPILE_OPTIONS -w)
  add_custom_command(OUTPUT cyclonedds.c cyclonedds.h
    COMMAND ${CYCLONEDDS_IDLC} ${CMAKE_CURRENT_SOURCE_DIR}/ends/cyclonedds.idl
    DEPENDS ends/cyclonedds.idl VERBATIM)
endif()
agnocast_bench_peer(cyclonedds ${CycloneDDS_FOUND} CycloneDDS::ddsc)
if(TARGET agnocast-bench-cyclonedds)
  target_sources(agnocast-bench-cyclonedds PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/cyclonedds.c)
  target_include_directories(agnocast-bench-cyclonedds SYSTEM PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endif()

find_package(fastcdr QUIET)
find_package(fastrtps QUIET)
set(FASTDDS_FOUND OFF)
if(fastcdr_FOUND AND fastrtps_FOUND)
  set(FASTDDS_FOUND ON)
endif()
agnocast_bench_peer(fastdds ${FASTDDS_FOUND} fastrtps fastcdr)

find_package(iceoryx_posh QUIET)
set(ICEORYX_FOUND OFF)
if(TARGET iceoryx_posh::iceoryx_posh)
  set(ICEORYX_FOUND ON)
endif()
agnocast_bench_peer(iceoryx ${ICEORYX_FOUND} iceoryx_posh::iceoryx_posh)
if(ICEORYX_FOUND)
  target_sources(agnocast-bench-iceoryx PRIVATE ends/iceoryx_scale.cc)
endif()
