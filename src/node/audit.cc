// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/internal/audit.hpp"

#include "heap/thread_window.hpp"

namespace agnocast::internal {
namespace {

constexpr std::string_view deep = "...";  // what begins the path of a part that was put off

void append(std::string& text, const AuditPath* path)
{
  if (path == nullptr) return;
  append(text, path->parent);
  if (path->index != AuditPath::no_index) {
    text += "[" + std::to_string(path->index) + "]";
  } else {
    if (!text.empty() && text != deep) text += ".";
    text += path->name;
  }
}

}  // namespace

void Auditor::put_off(void* part, Look look)
{
  const LibraryWork work;
  put_off_.push_back({part, look});
}

void Auditor::look_deeper()
{
  const AuditPath below{nullptr, deep, AuditPath::no_index};
  while (!put_off_.empty() && !is_refused_) {
    const PutOff next = put_off_.back();
    put_off_.pop_back();
    next.look(next.part, *this, &below);
  }
}

void Auditor::note_path(const AuditPath* path)
{
  if (!first_path_.empty()) return;
  const LibraryWork work;  // this text is not part of the message
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
