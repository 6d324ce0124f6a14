// Environment variables of any content: one a line.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/settings.hpp"

#include "abi/area_layout.h"
#include "input.hpp"
#include "memory/names.hpp"
#include "memory/window.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  using namespace agnocast::fuzz;
  using namespace agnocast::internal;
  Input input(data, bytes);
  for (const char* name : {"AGNOCAST_WINDOW", "AGNOCAST_MEMPOOL_SIZE", "MEMPOOL_SIZE",
                           "AGNOCAST_DOMAIN_ID", "AGNOCAST_ACCESS", "AGNOCAST_HEAP"}) {
    if (input.any()) {
      ::setenv(name, input.line().c_str(), 1);
    } else {
      ::unsetenv(name);
    }
  }
  auto settings = read_settings();
  if (!settings) {
    must(settings.failure().text.find("_") != std::string::npos, "a failure names its variable");
    return 0;
  }
  must(settings->mempool_bytes > 0 && settings->mempool_bytes % Settings::mempool_granule == 0,
       "the pool is whole granules");
  if (settings->window) must(Window::is_possible(*settings->window), "a possible window");
  static_cast<void>(registry_name(settings->domain));
  return 0;
}
