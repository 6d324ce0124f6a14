// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/serve.hpp"

#include <CLI/CLI.hpp>

namespace bench {

EndArguments parse_end_arguments(int argc, char** argv)
{
  CLI::App app("One end of a comparison; started by agnocast-bench itself");
  EndArguments arguments;
  std::string side;
  app.add_option("--side", side)->required()->check(CLI::IsMember({"ping", "pong"}));
  app.add_option("--fd", arguments.fd)->required();
  app.add_option("--parent", arguments.parent)->required();
  app.add_option("--biggest", arguments.biggest_bytes)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Error& error) {
    throw Failure(error.what());
  }
  arguments.side = side == "ping" ? Side::ping : Side::pong;
  return arguments;
}

}  // namespace bench
