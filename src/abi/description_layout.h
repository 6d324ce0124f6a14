/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A type description as it lies in the control part of a process's area: what messages of a type
 * look like in memory.
 *
 * Copyright the Agnocast C++ authors.
 *
 *   agnocast_description
 *   agnocast_described_type[type_count]    0 is the message itself
 *   agnocast_described_field[field_count]
 *   char[text_bytes]                       names, each with a 0 behind it
 *
 * Who writes what: the process that the area belongs to, once, before anything refers to it.
 */
#ifndef AGNOCAST_ABI_DESCRIPTION_LAYOUT_H
#define AGNOCAST_ABI_DESCRIPTION_LAYOUT_H

#include "abi/types.h"

#define AGNOCAST_DESCRIPTION_MAGIC 0x3145505954534741ull /* "AGSTYPE1" */
#define AGNOCAST_DESCRIPTION_BYTES_MAX 0x100000u         /* 1 MiB */
#define AGNOCAST_NO_TYPE 0xffffffffu

struct agnocast_description
{
  uint64_t magic;
  uint64_t hash;  /* of the layout: see TypeDescription::hash() */
  uint32_t bytes; /* of the whole */
  uint32_t type_count;
  uint32_t field_count;
  uint32_t text_bytes;
  uint32_t library; /* text: which standard library, and which of its ABIs */
  uint32_t reserved[3];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_description) == 48, "description");

struct agnocast_described_type
{
  uint32_t kind; /* agnocast::TypeKind */
  uint32_t name; /* text */
  uint64_t bytes;
  uint32_t alignment;
  uint32_t element;     /* type, or AGNOCAST_NO_TYPE */
  uint32_t mapped;      /* type, or AGNOCAST_NO_TYPE */
  uint32_t first_field; /* index */
  uint32_t field_count;
  uint32_t header_offset;
  uint64_t count;
  uint64_t inner_offset;
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_described_type) == 56, "described type");

struct agnocast_described_field
{
  uint32_t name;  /* text */
  uint32_t type;  /* AGNOCAST_NO_TYPE for an enumerator */
  uint64_t value; /* offset of the field; value of the enumerator */
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_described_field) == 16, "described field");

#endif
