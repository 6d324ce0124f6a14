// The messages of a storm. Each says who published it and carries a checksum over all its content
// and the shape of its containers. Their destructors overwrite the content before it is freed, so
// that a reader of a message that was freed too early sees it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "storm/board.hpp"

namespace agnocast::storm {

struct Header
{
  std::uint64_t publisher = 0;
  std::uint64_t number = 0;  ///< counts up in each thread of the publisher
  std::uint32_t thread = 0;
  std::uint32_t stable = 0;
  std::uint64_t checksum = 0;
};

class Checksum
{
 public:
  void add(std::uint64_t value) { state_ = (state_ ^ value) * 0x9fb21c651e98df25 + (state_ >> 29); }
  void add(const void* bytes, std::size_t size)
  {
    add(size);
    const auto* at = static_cast<const unsigned char*>(bytes);
    std::uint64_t word = 0;
    for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
      std::memcpy(&word, at, sizeof word);
      add(word);
    }
    word = 0;
    std::memcpy(&word, at, size);
    add(word);
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243f6a8885a308d3;
};

inline void scribble(void* bytes, std::size_t size)
{
  std::memset(bytes, 0xDD, size);
  __asm__ volatile("" : : "r"(bytes) : "memory");  // not a dead store
}
inline void scribble(std::string& text)
{
  scribble(text.data(), text.size());
}

inline void fill_bytes(void* bytes, std::size_t size, Random& random)
{
  auto* at = static_cast<unsigned char*>(bytes);
  for (; size >= 8; size -= 8, at += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(at, &word, 8);
  }
  const std::uint64_t word = random.next();
  std::memcpy(at, &word, size);
}

struct Flat
{
  Header header;
  std::uint64_t used = 0;
  std::array<unsigned char, 2000> bytes{};
  ~Flat()
  {
    scribble(bytes.data(), used);
    scribble(&header, sizeof header);
  }
};

struct Nested
{
  Header header;
  std::vector<std::vector<std::uint32_t>> rows;
  ~Nested()
  {
    for (auto& row : rows) scribble(row.data(), row.size() * sizeof row[0]);
    scribble(&header, sizeof header);
  }
};

struct Text
{
  Header header;
  std::string title;
  std::map<std::string, std::string> entries;
  ~Text()
  {
    scribble(title);
    for (auto& entry : entries) scribble(entry.second);
    scribble(&header, sizeof header);
  }
};

struct Chain
{
  Header header;
  std::list<std::vector<unsigned char>> links;
  ~Chain()
  {
    for (auto& link : links) scribble(link.data(), link.size());
    scribble(&header, sizeof header);
  }
};

inline std::size_t fill(Flat& m, std::size_t size, Random& random)
{
  m.used = std::min(size, m.bytes.size());
  fill_bytes(m.bytes.data(), m.used, random);
  return m.used;
}
inline std::size_t fill(Nested& m, std::size_t size, Random& random)
{
  const std::size_t count = random.between(1, 16);
  m.rows.resize(count);
  for (auto& row : m.rows) {
    row.resize(size / count / sizeof(std::uint32_t) + 1);
    fill_bytes(row.data(), row.size() * sizeof row[0], random);
  }
  return size;
}
inline std::size_t fill(Text& m, std::size_t size, Random& random)
{
  m.title.resize(size / 2);
  fill_bytes(m.title.data(), m.title.size(), random);
  const std::size_t count = random.between(0, 40);
  for (std::size_t i = 0; i < count; ++i) {
    std::string& entry = m.entries["the key with number " + std::to_string(random.below(1000))];
    entry.resize(size / 2 / count + 1);
    fill_bytes(entry.data(), entry.size(), random);
  }
  return size;
}
inline std::size_t fill(Chain& m, std::size_t size, Random& random)
{
  const std::size_t count = random.between(1, 30);
  for (std::size_t i = 0; i < count; ++i) {
    auto& link = m.links.emplace_back(size / count + 1);
    fill_bytes(link.data(), link.size(), random);
  }
  return size;
}

inline void add_content(Checksum& sum, const Flat& m)
{
  sum.add(m.bytes.data(), std::min<std::size_t>(m.used, m.bytes.size()));
}
inline void add_content(Checksum& sum, const Nested& m)
{
  sum.add(m.rows.size());
  for (const auto& row : m.rows) sum.add(row.data(), row.size() * sizeof row[0]);
}
inline void add_content(Checksum& sum, const Text& m)
{
  sum.add(m.title.data(), m.title.size());
  sum.add(m.entries.size());
  for (const auto& [key, entry] : m.entries) {
    sum.add(key.data(), key.size());
    sum.add(entry.data(), entry.size());
  }
}
inline void add_content(Checksum& sum, const Chain& m)
{
  sum.add(m.links.size());
  for (const auto& link : m.links) sum.add(link.data(), link.size());
}

inline std::size_t bytes_of(const Flat& m)
{
  return sizeof m.header + m.used;
}
inline std::size_t bytes_of(const Nested& m)
{
  std::size_t bytes = sizeof m.header;
  for (const auto& row : m.rows) bytes += row.size() * sizeof row[0];
  return bytes;
}
inline std::size_t bytes_of(const Text& m)
{
  std::size_t bytes = sizeof m.header + m.title.size();
  for (const auto& [key, entry] : m.entries) bytes += key.size() + entry.size();
  return bytes;
}
inline std::size_t bytes_of(const Chain& m)
{
  std::size_t bytes = sizeof m.header;
  for (const auto& link : m.links) bytes += link.size();
  return bytes;
}

template <class T>
std::uint64_t checksum_of(const T& message)
{
  Checksum sum;
  sum.add(message.header.publisher);
  sum.add(message.header.number);
  sum.add(message.header.thread);
  sum.add(message.header.stable);
  add_content(sum, message);
  return sum.value();
}

}  // namespace agnocast::storm
