// Character devices and their commands.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "os/file.hpp"

namespace agnocast::internal::os {

/// Needs no descriptor, so it can be told when none is left.
bool device_exists(const char* path);
/// A closed descriptor on failure, with errno.
Descriptor open_device(const char* path, int flags);
/// False on failure, with errno. A signal does not end it.
bool command(int device, unsigned long request, void* argument);

}  // namespace agnocast::internal::os
