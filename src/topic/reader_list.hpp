// Who reads a topic, as its publisher sees it: prepared off the message path, and used on it.
//
// A list is made from the registry at one generation of the topic, and stays that. While the
// topic's generation is another one, somebody may read whom the list does not have: the publisher
// then wakes whom it knows, but retires and frees nothing. That is all that correctness needs.
//
// Who writes what: nothing; a subscription's structures are read in its process's area, and
// checked.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "topic/context.hpp"

namespace agnocast::internal {

struct Reader
{
  std::uint64_t id = 0;
  std::shared_ptr<PeerArea> area;
  const agnocast_subscription* subscription = nullptr;
  /// It gets the newest so many of its unread messages; one that would have all, as many as the
  /// publisher keeps. 0: closed, only its holds count.
  std::uint32_t depth = 0;
  bool blocks = false;  ///< keep_all and reliable
  /// Not in the registry any more, but its holds stand: the registry's word alone does not end a
  /// hold, since all who may join can write it. Only the subscriber itself does, or its death.
  bool is_unlisted = false;
  const agnocast_connection* connection = nullptr;  ///< nullptr until the subscriber connects
  std::uint32_t holds_capacity = 0;                 ///< of the connection, checked

  /// Its connection to that publisher, or nullptr; remembers what it found.
  const agnocast_connection* find_connection(std::uint64_t publisher_id);
};

/// A subscriber whose area cannot be mapped. It may have ours mapped and hold messages, whatever it
/// is that stands between: nothing but its death or its own word says otherwise.
struct Unreachable
{
  PeerIdentity process;
  std::string why;  ///< with what to do about it
};

/// Thread safety: who and the generation do not change once it is made; the connections that
/// readers remember are looked up under the publisher's lock.
class ReaderList
{
 public:
  struct Publisher
  {
    std::uint64_t id;
    std::uint32_t topic;
    std::uint32_t depth;
  };

  /// The list as the registry has it now; who was in \p former and still holds stays. Maps areas,
  /// allocates; throws std::bad_alloc. nullptr if the registry cannot be believed now.
  static std::unique_ptr<ReaderList> make(Context& context, const Publisher& publisher,
                                          const ReaderList* former, Once& said);

  std::vector<Reader> readers;
  /// Subscribers whose holds cannot be seen: nothing may be freed while there are any.
  std::vector<Unreachable> unreachable;
  std::string complaint;                  ///< to be said once no lock is held; empty: nothing
  bool has_unreachable_blocking = false;  ///< of them, one that a keep_all publisher waits for
  std::uint64_t generation = 0;           ///< of the topic when this was made; 0: before any
  std::uint32_t depth_max = 0;            ///< of the readers

  [[nodiscard]] bool has_unlisted() const noexcept;
  [[nodiscard]] std::size_t holds_max() const noexcept;

 private:
  void add(Context& context, const Publisher& publisher, const EndpointView& view,
           const ReaderList* former, Once& said);
};

}  // namespace agnocast::internal
