# Builds with AGNOCAST_SANITIZE: see docs/sanitizers.md.
# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
add_compile_options(-fsanitize=${AGNOCAST_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
add_link_options(-fsanitize=${AGNOCAST_SANITIZE})
# By our own names, since not all files of such a build are instrumented (see below), and all must agree.
add_compile_definitions(AGNOCAST_SANITIZED)
if(AGNOCAST_SANITIZE MATCHES address)
  add_compile_definitions(AGNOCAST_ASAN)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND AGNOCAST_SANITIZE MATCHES thread)
  # Our fences order what the kernel writes to the registry, and no memory that a sanitizer sees.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
endif()

# The compiler puts the sanitizer's runtime before all libraries, so its malloc would be found before
# ours: programs that link `library` get the runtime after it instead. GCC's runtime is a shared
# library, and lets that be done.
function(agnocast_let_hook_come_first library)
  if(AGNOCAST_SANITIZE MATCHES fuzzer)
    return()  # the fuzz targets use the parts of the library without its hook
  endif()
  target_sources(${library} PRIVATE hook/operator_new.cc)
  # These run before the sanitizer is ready.
  set_source_files_properties(hook/malloc.cc hook/operator_new.cc PROPERTIES COMPILE_OPTIONS
    -fno-sanitize=all)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    message(FATAL_ERROR "AGNOCAST_SANITIZE: the hook works with GCC's sanitizers only; set CC=gcc CXX=g++")
  endif()
  set(runtimes)
  foreach(pair address=asan thread=tsan leak=lsan undefined=ubsan)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 sanitizer)
    list(GET pair 1 runtime)
    if(AGNOCAST_SANITIZE MATCHES ${sanitizer})
      list(APPEND runtimes ${runtime})
    endif()
  endforeach()
  target_link_options(${library} INTERFACE -fno-sanitize=all)
  target_link_libraries(${library} INTERFACE ${runtimes})
endfunction()
