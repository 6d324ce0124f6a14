// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/type_description.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>

#include "abi/description_layout.h"
#include "agnocast/describe.hpp"
#include "agnocast/error.hpp"
#include "types/layout_rules.hpp"

namespace agnocast {
namespace {

constexpr std::uint32_t types_max = 8192;

/// FNV-1a, 64 bits.
class Hash
{
 public:
  void add(std::uint64_t value) noexcept
  {
    for (int i = 0; i < 8; ++i) step(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void add(const std::string& text) noexcept
  {
    add(text.size());
    for (const char c : text) step(static_cast<std::uint8_t>(c));
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  void step(std::uint8_t byte) noexcept { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::uint64_t hash_of(const std::vector<DescribedType>& types, const std::string& library)
{
  Hash hash;
  hash.add(library);
  for (const DescribedType& type : types) {
    hash.add(static_cast<std::uint64_t>(type.kind));
    hash.add(type.name);
    for (const std::uint64_t value :
         {type.bytes, std::uint64_t{type.alignment}, std::uint64_t{type.element},
          std::uint64_t{type.mapped}, type.count, type.inner_offset,
          std::uint64_t{type.header_offset}}) {
      hash.add(value);
    }
    if (type.kind == TypeKind::enumeration) continue;
    for (const DescribedField& field : type.fields) {
      hash.add(field.name);
      hash.add(field.type);
      hash.add(field.value);
    }
  }
  return hash.value();
}

/// Appends the bytes of plain values.
class Writer
{
 public:
  template <class T>
  void add(const T& value)
  {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* const from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Names behind each other; the same name stands once.
class Texts
{
 public:
  std::uint32_t add(const std::string& text)
  {
    const std::string wanted = text + '\0';
    const std::size_t found = all_.find('\0' + wanted);
    if (found != std::string::npos) return static_cast<std::uint32_t>(found + 1);
    all_ += wanted;
    return static_cast<std::uint32_t>(all_.size() - wanted.size());
  }
  [[nodiscard]] const std::string& all() const noexcept { return all_; }

 private:
  std::string all_ = std::string(1, '\0');
};

[[noreturn]] void refuse(const std::string& what)
{
  throw Error("this is no type description: " + what);
}

/// Reads the parts of an encoded description, each within its bounds.
class Reader
{
 public:
  Reader(const std::byte* bytes, std::size_t count) : bytes_(bytes)
  {
    if (count < sizeof header_) refuse("it is too short");
    std::memcpy(&header_, bytes, sizeof header_);
    if (header_.magic != AGNOCAST_DESCRIPTION_MAGIC) refuse("it does not begin like one");
    if (header_.bytes > count || header_.bytes > AGNOCAST_DESCRIPTION_BYTES_MAX) {
      refuse("it claims to be longer than it is");
    }
    if (header_.type_count == 0 || header_.type_count > types_max) {
      refuse("it has " + std::to_string(header_.type_count) + " types");
    }
    fields_at_ =
      sizeof header_ + std::uint64_t{header_.type_count} * sizeof(agnocast_described_type);
    text_at_ = fields_at_ + std::uint64_t{header_.field_count} * sizeof(agnocast_described_field);
    if (text_at_ + header_.text_bytes != header_.bytes || header_.text_bytes == 0 ||
        bytes_[header_.bytes - 1] != std::byte{0}) {
      refuse("its parts do not fill it");
    }
  }
  [[nodiscard]] const agnocast_description& header() const noexcept { return header_; }
  [[nodiscard]] agnocast_described_type type(std::uint32_t index) const
  {
    agnocast_described_type type;
    std::memcpy(&type, bytes_ + sizeof header_ + index * sizeof type, sizeof type);
    return type;
  }
  [[nodiscard]] agnocast_described_field field(std::uint32_t index) const
  {
    agnocast_described_field field;
    std::memcpy(&field, bytes_ + fields_at_ + index * sizeof field, sizeof field);
    return field;
  }
  [[nodiscard]] std::string text(std::uint32_t offset) const
  {
    if (offset >= header_.text_bytes) refuse("a name lies outside of it");
    const auto* const begin = reinterpret_cast<const char*>(bytes_ + text_at_) + offset;
    std::string text(begin, ::strnlen(begin, header_.text_bytes - offset));
    const bool is_clean = std::all_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    });
    if (!is_clean) refuse("a name has control characters");
    return text;
  }

 private:
  const std::byte* bytes_;
  agnocast_description header_{};
  std::uint64_t fields_at_ = 0;
  std::uint64_t text_at_ = 0;
};

DescribedType read_type(const Reader& reader, std::uint32_t index)
{
  const agnocast_described_type read = reader.type(index);
  DescribedType type;
  type.kind = static_cast<TypeKind>(read.kind);
  type.name = reader.text(read.name);
  type.bytes = read.bytes;
  type.alignment = read.alignment;
  type.element = read.element;
  type.mapped = read.mapped;
  type.count = read.count;
  type.inner_offset = read.inner_offset;
  type.header_offset = read.header_offset;
  if (read.field_count > reader.header().field_count ||
      read.first_field > reader.header().field_count - read.field_count) {
    refuse("'" + type.name + "' has fields outside of it");
  }
  for (std::uint32_t i = 0; i < read.field_count; ++i) {
    const agnocast_described_field field = reader.field(read.first_field + i);
    type.fields.push_back({reader.text(field.name), field.type, field.value});
  }
  return type;
}

}  // namespace

TypeDescription::TypeDescription(std::vector<DescribedType> types)
  : types_(std::move(types)), library_(internal::own_library()), hash_(hash_of(types_, library_))
{
}

bool TypeDescription::is_complete() const noexcept
{
  return std::none_of(types_.begin(), types_.end(), [](const DescribedType& type) {
    return type.kind == TypeKind::unknown || type.kind == TypeKind::raw_pointer;
  });
}

std::string TypeDescription::schema() const
{
  std::string text;
  const auto line = [&](std::uint64_t offset, const std::string& what, const std::string& name) {
    std::string column = std::to_string(offset);
    column.resize(std::max<std::size_t>(column.size(), 6), ' ');
    text += "  " + column + " " + what + " " + name + "\n";
  };
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const DescribedType& type = types_[i];
    const bool is_named = type.kind == TypeKind::structure || type.kind == TypeKind::enumeration ||
                          type.kind == TypeKind::unknown || type.kind == TypeKind::opaque;
    if (i != 0 && !is_named) continue;
    const std::string size = " (" + std::to_string(type.bytes) + " bytes)\n";
    switch (type.kind) {
      case TypeKind::structure:
        text += "struct " + type.name + size;
        for (const DescribedField& f : type.fields) line(f.value, types_[f.type].name, f.name);
        break;
      case TypeKind::enumeration:
        text += "enum " + type.name + " : " + types_[type.element].name + "\n";
        for (const DescribedField& f : type.fields) {
          text += "  " + f.name + " = " + std::to_string(static_cast<std::int64_t>(f.value)) + "\n";
        }
        break;
      case TypeKind::unknown:
        text += "unknown " + type.name + size;
        break;
      case TypeKind::opaque:
        text += "opaque " + type.name + size;
        break;
      default:
        text += type.name + size;
        break;
    }
  }
  return text;
}

std::vector<std::byte> TypeDescription::encode() const
{
  Texts texts;
  Writer types;
  Writer fields;
  agnocast_description header{};
  header.magic = AGNOCAST_DESCRIPTION_MAGIC;
  header.hash = hash_;
  header.type_count = static_cast<std::uint32_t>(types_.size());
  header.library = texts.add(library_);
  for (const DescribedType& type : types_) {
    agnocast_described_type written{};
    written.kind = static_cast<std::uint32_t>(type.kind);
    written.name = texts.add(type.name);
    written.bytes = type.bytes;
    written.alignment = type.alignment;
    written.element = type.element;
    written.mapped = type.mapped;
    written.first_field = header.field_count;
    written.field_count = static_cast<std::uint32_t>(type.fields.size());
    written.header_offset = type.header_offset;
    written.count = type.count;
    written.inner_offset = type.inner_offset;
    types.add(written);
    header.field_count += written.field_count;
    for (const DescribedField& field : type.fields) {
      fields.add(agnocast_described_field{texts.add(field.name), field.type, field.value});
    }
  }
  header.text_bytes = static_cast<std::uint32_t>(texts.all().size());
  header.bytes = static_cast<std::uint32_t>(
    sizeof header + header.type_count * sizeof(agnocast_described_type) +
    header.field_count * sizeof(agnocast_described_field) + header.text_bytes);
  Writer all;
  all.add(header);
  std::vector<std::byte> bytes = all.take();
  for (const std::vector<std::byte>& part : {types.take(), fields.take()}) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  const auto* const text = reinterpret_cast<const std::byte*>(texts.all().data());
  bytes.insert(bytes.end(), text, text + texts.all().size());
  return bytes;
}

TypeDescription TypeDescription::decode(const std::byte* bytes, std::size_t count)
{
  const Reader reader(bytes, count);
  TypeDescription description;
  description.library_ = reader.text(reader.header().library);
  for (std::uint32_t i = 0; i < reader.header().type_count; ++i) {
    description.types_.push_back(read_type(reader, i));
  }
  if (const std::string rule = internal::broken_rule(description.types_); !rule.empty()) {
    refuse(rule);
  }
  description.hash_ = hash_of(description.types_, description.library_);
  if (description.hash_ != reader.header().hash) refuse("its checksum does not match it");
  return description;
}

namespace internal {

const std::string& own_library()
{
  static const std::string* const library = [] {
#ifdef __GLIBCXX__
    auto* const name = new std::string("libstdc++");
#if _GLIBCXX_USE_CXX11_ABI
    *name += " cxx11";
#endif
#else
    auto* const name = new std::string("unknown");
#endif
    *name += " " + std::to_string(sizeof(void*) * 8) + "-bit";
    return name;
  }();
  return *library;
}

std::string readable_type_name(const std::type_info& type)
{
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
    abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 && name ? name.get() : type.name();
}

}  // namespace internal
}  // namespace agnocast
