// The message of the talker and the listener: any struct of ordinary C++ types will do.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

struct Temperature
{
  std::string sensor;
  std::vector<double> celsius;
};
