// Descriptions of message types: the own ones in the own area, and those of others.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "abi/description_layout.h"
#include "agnocast/error.hpp"
#include "base/atomic.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {
namespace {

/// nullopt if there is none, or none that can be believed.
std::optional<TypeDescription> read_description(const PeerArea& area, std::uint64_t offset)
{
  const auto* const header = area.at<agnocast_description>(offset);
  if (offset == 0 || header == nullptr) return std::nullopt;
  const std::uint32_t count = load_relaxed(header->bytes);
  if (count > AGNOCAST_DESCRIPTION_BYTES_MAX) return std::nullopt;
  const auto* const bytes = area.at<std::byte>(offset, count);
  if (bytes == nullptr) return std::nullopt;
  const std::vector<std::byte> copy(bytes, bytes + count);  // it may change meanwhile
  try {
    return TypeDescription::decode(copy.data(), copy.size());
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

Result<std::uint64_t> Runtime::store_description(const TypeDescription& description)
{
  if (Status status = join(); !status) return std::move(status.failure());
  const std::lock_guard lock(mutex_);
  const auto known = descriptions_.find(description.hash());
  if (known != descriptions_.end()) return known->second;
  const std::vector<std::byte> bytes = description.encode();
  std::uint64_t offset = 0;
  if (bytes.size() <= AGNOCAST_DESCRIPTION_BYTES_MAX)
    offset = area_->allocate_control(bytes.size());
  if (offset == 0) return std::uint64_t{0};
  std::memcpy(area_->at<std::byte>(offset), bytes.data(), bytes.size());
  try {
    descriptions_.emplace(description.hash(), offset);
  } catch (const std::bad_alloc&) {
    area_->free_control(offset, bytes.size());
    throw;
  }
  return offset;
}

std::optional<TypeDescription> Runtime::find_description(std::string_view topic)
{
  if (Status status = join(); !status) return std::nullopt;
  const auto index = registry_->find_topic(topic);
  if (!index) return std::nullopt;
  for (const agnocast_endpoint_kind kind : {AGNOCAST_PUBLISHER, AGNOCAST_SUBSCRIPTION}) {
    for (const EndpointView& view : registry_->endpoints(*index, kind)) {
      auto area = peers_.get(view.process, PeerUse::control);
      if (!area) continue;
      std::uint64_t offset = 0;
      if (kind == AGNOCAST_PUBLISHER) {
        const auto* const ring = (*area)->at<agnocast_ring>(view.control_offset);
        if (ring != nullptr) offset = load_relaxed(ring->description);
      } else {
        const auto* const subscription = (*area)->at<agnocast_subscription>(view.control_offset);
        if (subscription != nullptr) offset = load_relaxed(subscription->description);
      }
      if (auto found = read_description(**area, offset)) return found;
    }
  }
  return std::nullopt;
}

Failure Runtime::with_layouts(Failure failure, std::string_view topic,
                              const TypeDescription& asked_for)
{
  if (failure.kind != FailureKind::type_mismatch) return failure;
  const auto there = find_description(topic);
  if (there && there->name() == asked_for.name()) {
    failure.text += "\n\nthe topic carries:\n" + there->schema() + "\nthis process asks for:\n" +
                    asked_for.schema();
    if (there->library() != asked_for.library()) {
      failure.text += "compiled with '" + there->library() + "' and '" + asked_for.library() + "'";
    }
  }
  return failure;
}

}  // namespace agnocast::internal
