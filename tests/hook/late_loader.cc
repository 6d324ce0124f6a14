// A program that knows nothing of the library and loads a plugin that does.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <cstdio>

int main(int, char** argv)
{
  void* plugin = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s\n", ::dlerror());
    return 100;
  }
  auto* run = reinterpret_cast<int (*)()>(::dlsym(plugin, "run_late_plugin"));
  return run == nullptr ? 101 : run();
}
