// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/hint_set.hpp"

#include <algorithm>
#include <bit>

#include "base/atomic.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

HintSet::Word* HintSet::word_of(std::uint32_t hint) const noexcept
{
  const std::uint32_t index = (hint - 1) / AGNOCAST_HINTS_IN_WORD;
  const auto place = std::find_if(words_.begin(), words_.end(),
                                  [&](const auto& word) { return word->index == index; });
  return place == words_.end() ? nullptr : place->get();
}

std::uint32_t HintSet::reserve()
{
  listed_.reserve(reserved_ + 1);
  const auto none = [&] {
    ++reserved_;
    ++without_hint_;
    return 0u;
  };
  if (without_hint_ < without_hint_max_) return none();
  auto place =
    std::find_if(words_.begin(), words_.end(), [](const auto& word) { return ~word->taken != 0; });
  if (place == words_.end()) {
    words_.reserve(words_.size() + 1);
    indices_.reserve(words_.size() + 1);
    auto word = std::make_unique<Word>();
    word->index = area_.take_hint_word();
    if (word->index == AGNOCAST_HINT_WORDS) return none();
    indices_.push_back(word->index);
    words_.push_back(std::move(word));
    place = words_.end() - 1;
  }
  Word& word = **place;
  const auto bit = static_cast<std::uint32_t>(std::countr_one(word.taken));
  word.taken |= std::uint64_t{1} << bit;
  ++reserved_;
  return word.index * AGNOCAST_HINTS_IN_WORD + bit + 1;
}

void HintSet::give_back(std::uint32_t hint) noexcept
{
  --reserved_;
  if (hint == 0) {
    --without_hint_;
    return;
  }
  Word& word = *word_of(hint);
  word.taken &= ~(std::uint64_t{1} << (hint - 1) % AGNOCAST_HINTS_IN_WORD);
  if (word.taken != 0) return;
  area_.give_back_hint_word(word.index);
  std::erase(indices_, word.index);
  std::erase_if(words_, [&](const auto& other) { return other.get() == &word; });
}

void HintSet::list(Candidate& candidate) noexcept
{
  if (candidate.is_listed) return;
  candidate.is_listed = true;
  listed_.push_back(&candidate);
}

void HintSet::add(Candidate& candidate) noexcept
{
  if (candidate.hint != 0) {
    const std::uint32_t bit = (candidate.hint - 1) % AGNOCAST_HINTS_IN_WORD;
    word_of(candidate.hint)->candidates[bit] = &candidate;
  }
  list(candidate);
}

void HintSet::remove(Candidate& candidate) noexcept
{
  if (candidate.hint != 0) {
    const std::uint32_t bit = (candidate.hint - 1) % AGNOCAST_HINTS_IN_WORD;
    word_of(candidate.hint)->candidates[bit] = nullptr;
  }
  std::erase(listed_, &candidate);
  candidate.is_listed = false;
}

bool HintSet::collect() noexcept
{
  if (words_.empty()) return false;
  const bool is_time = os::monotonic_ns() >= list_all_at_ns_;
  if (is_time) {
    list_all_at_ns_ = area_.look_again_at(-1);
    list_all();
  }
  for (std::size_t i = 0; i < indices_.size(); ++i) {
    std::uint64_t& shared = area_.doorbell().hints[indices_[i]];
    // (D) of the sleep race, where hints are; pairs with leave_hint(), as the exchange does.
    if (load_seq_cst(shared) == 0) continue;
    for (std::uint64_t bits = exchange_seq_cst(shared, std::uint64_t{0}); bits != 0;
         bits &= bits - 1) {
      Candidate* const candidate =
        words_[i]->candidates[static_cast<std::size_t>(std::countr_zero(bits))];
      if (candidate != nullptr) list(*candidate);
    }
  }
  return is_time;
}

void HintSet::list_all() noexcept
{
  for (const auto& word : words_) {
    for (Candidate* const candidate : word->candidates) {
      if (candidate != nullptr) list(*candidate);
    }
  }
}

void HintSet::rotate() noexcept
{
  if (listed_.size() > 1) std::rotate(listed_.begin(), listed_.begin() + 1, listed_.end());
}

void HintSet::clear() noexcept
{
  for (const auto& word : words_) area_.give_back_hint_word(word->index);
  words_.clear();
  indices_.clear();
  listed_.clear();
  reserved_ = without_hint_ = 0;
}

}  // namespace agnocast::internal
