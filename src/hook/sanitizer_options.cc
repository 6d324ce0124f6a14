// What the sanitizers of a program that is linked with us must know; in such builds only. The
// variables ASAN_OPTIONS, TSAN_OPTIONS and UBSAN_OPTIONS are read after this.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/export.hpp"
#include "base/epoch.hpp"

extern "C" {

AGNOCAST_PUBLIC const char* __asan_default_options();
AGNOCAST_PUBLIC int __lsan_is_turned_off();
AGNOCAST_PUBLIC const char* __tsan_default_options();
AGNOCAST_PUBLIC const char* __ubsan_default_options();

// Our malloc has to be found before the sanitizer's.
const char* __asan_default_options()
{
  return "verify_asan_link_order=0:detect_stack_use_after_return=1:strict_string_checks=1:"
         "check_initialization_order=1:detect_leaks=1:allocator_may_return_null=1";
}

// In a forked child nothing refers to what its parent's other threads were using.
int __lsan_is_turned_off()
{
  return agnocast::internal::current_epoch() != 0;
}

// A child of a process with threads (the control thread is one) may start its own.
const char* __tsan_default_options()
{
  return "die_after_fork=0:halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1";
}

const char* __ubsan_default_options()
{
  return "print_stacktrace=1";
}

}  // extern "C"
