// A program that knows nothing of the library and loads a plugin that does; with "unload" it
// also unloads it, three times; with "read" and a descriptor it is the reader.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv)
{
  void* plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s\n", ::dlerror());
    return 100;
  }
  if (argc > 3) {
    auto* read = reinterpret_cast<int (*)(int)>(::dlsym(plugin, "run_late_reader"));
    return read == nullptr ? 106 : read(std::atoi(argv[3]));
  }
  auto* run = reinterpret_cast<int (*)()>(::dlsym(plugin, "run_late_plugin"));
  if (run == nullptr) return 101;
  // Closed and loaded again: nothing of it may be in use after dlclose().
  for (int round = 0; round < 3; ++round) {
    const int step = run();
    if (step != 0) return step;
    if (argc <= 2) break;
    if (::dlclose(plugin) != 0) return 102;
    plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) return 103;
    run = reinterpret_cast<int (*)()>(::dlsym(plugin, "run_late_plugin"));
    if (run == nullptr) return 104;
  }
  if (argc > 2 && ::dlclose(plugin) != 0) return 105;
  return 0;
}
