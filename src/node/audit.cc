// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/internal/audit.hpp"

namespace agnocast::internal {
namespace {

void append(std::string& text, const AuditPath* path)
{
  if (path == nullptr) return;
  append(text, path->parent);
  if (path->index != AuditPath::no_index) {
    text += "[" + std::to_string(path->index) + "]";
  } else {
    if (!text.empty()) text += ".";
    text += path->name;
  }
}

}  // namespace

void Auditor::note_path(const AuditPath* path)
{
  if (!first_path_.empty()) return;
  const PrivateHeapScope in_private;  // this text is not part of the message
  append(first_path_, path);
  if (first_path_.empty()) first_path_ = "the message itself";
}

void Auditor::note_moved(const AuditPath* path)
{
  ++moved_;
  note_path(path);
}

void Auditor::refuse(const AuditPath* path)
{
  if (is_refused_) return;
  is_refused_ = true;
  first_path_.clear();
  note_path(path);
}

}  // namespace agnocast::internal
