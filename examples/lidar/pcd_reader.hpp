// Reads scans from PCD files, the point cloud format of PCL, in all three of its encodings.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "pcd_header.hpp"
#include "scan.hpp"

namespace lidar {

/// Reads x, y and z, and intensity, rgb or rgba if the file has them; other fields are skipped.
/// Points with a coordinate that is not finite, as organized clouds have, are left out; an
/// intensity that is not finite counts as 0. Throws PcdError. Memory use is bounded by a multiple
/// of the file's size, whatever the header says: some tens, or some hundreds where LZF compresses
/// well.
[[nodiscard]] Scan read_pcd(const std::filesystem::path& file);

/// The same for a file in memory; `name` stands in the messages.
[[nodiscard]] Scan parse_pcd(std::string_view file, std::string_view name);

}  // namespace lidar
