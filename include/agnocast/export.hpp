// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks what the shared library exports; everything else is hidden.
#define AGNOCAST_PUBLIC __attribute__((visibility("default")))
