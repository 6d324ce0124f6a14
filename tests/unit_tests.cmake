# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
set(src ${PROJECT_SOURCE_DIR}/src)
agnocast_unit_test(heap_test ${src}/heap/heap_test.cc ${src}/heap/page_heap_test.cc
  ${src}/heap/slab_heap_test.cc)
