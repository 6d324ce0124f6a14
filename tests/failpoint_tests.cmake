# The library with its failpoints compiled in, and the test that ends or stops a process at each.
# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
option(AGNOCAST_TEST_FAILPOINTS "Build the library a second time, with failpoints, and test it" ON)
if(NOT AGNOCAST_TEST_FAILPOINTS)
  return()
endif()

get_target_property(library_sources agnocast_objects SOURCES)
list(TRANSFORM library_sources PREPEND ${src}/)
add_library(agnocast_failpoints SHARED ${library_sources} ${src}/os/failpoint.cc ${src}/hook/malloc.cc)
target_compile_definitions(agnocast_failpoints PUBLIC AGNOCAST_FAILPOINTS)
target_include_directories(agnocast_failpoints PUBLIC ${PROJECT_SOURCE_DIR}/include ${src})
target_link_libraries(agnocast_failpoints PRIVATE agnocast_warnings PUBLIC Threads::Threads rt)
target_compile_options(agnocast_failpoints PRIVATE -ftls-model=initial-exec)
target_link_options(agnocast_failpoints INTERFACE LINKER:--no-as-needed PRIVATE LINKER:-z,nodelete)
set_target_properties(agnocast_failpoints PROPERTIES
  CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

add_executable(failpoint_test failpoint/failpoint_test.cc failpoint/partners.cc failpoint/roles.cc
  support/domain.cc ${src}/ledger/ledger.c)
target_link_libraries(failpoint_test PRIVATE agnocast_failpoints agnocast_test_support agnocast_warnings)
gtest_discover_tests(failpoint_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600 LABELS failpoint)
