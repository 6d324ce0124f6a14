// A library that takes its time when the program ends. Linked after Agnocast, so that its turn
// comes afterwards. Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

extern "C" __attribute__((visibility("default"))) void name_slow_end() {}

namespace {

// Tells the test that the program has left, and goes on when the test says so.
__attribute__((destructor)) void end_slowly()
{
  if (std::getenv("AGNOCAST_TEST_SLOW_END") == nullptr) return;
  char byte = 'e';
  if (::write(STDOUT_FILENO, &byte, 1) == 1) static_cast<void>(::read(STDIN_FILENO, &byte, 1) == 1);
}

}  // namespace
