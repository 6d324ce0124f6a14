/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The area of a process: what its peers read of it, and its doorbell.
 *
 * Copyright the Agnocast C++ authors.
 *
 * The area fills one slot of the window and has the same address in every process:
 *
 *   0                     agnocast_area_header, then agnocast_waiter[AGNOCAST_WAITERS]
 *   AGNOCAST_CONTROL      rings, entries, subscriptions, connections, type descriptions
 *   AGNOCAST_GUARD        never mapped, so that an overrun in a message cannot reach the above
 *   AGNOCAST_HEAP         the shared heap: messages, to the end of the slot
 *
 * Who writes what: the process that the area belongs to, and nobody else; peers map it read-only.
 * The doorbell is the exception: any connected peer adds to its words, and sets its hints.
 */
#ifndef AGNOCAST_ABI_AREA_LAYOUT_H
#define AGNOCAST_ABI_AREA_LAYOUT_H

#include "abi/types.h"

#define AGNOCAST_AREA_MAGIC 0x3141455241534741ull /* "AGSAREA1" */

#define AGNOCAST_PAGE 4096u
#define AGNOCAST_CACHE_LINE 64u

#define AGNOCAST_WAITERS 1024u
#define AGNOCAST_NO_WAITER 0xffffffffu

#define AGNOCAST_CONTROL 0x20000ull
#define AGNOCAST_GUARD 0x2000000ull /* 32 MiB */
#define AGNOCAST_HEAP 0x2010000ull

/* The lowest slot size: the control part and a little heap. */
#define AGNOCAST_SLOT_BYTES_MIN 0x4000000ull /* 64 MiB */

/* What the kernel leaves in `alive` when the owner is gone, however it went. */
#define AGNOCAST_ALIVE_OWNER_DIED 0x40000000u

struct agnocast_area_header
{
  uint64_t magic; /* stored last when the area is made */
  uint32_t abi_version;
  uint32_t domain;
  uint32_t slot;
  int32_t pid;
  uint64_t process_id; /* 0 until the registry has given one */
  uint64_t slot_bytes;
  uint64_t reserved0[3];
  /* A robust futex that the control thread holds: its thread id while the process lives. */
  uint32_t alive __attribute__((aligned(64)));
  uint32_t unmarked; /* 1: the kernel does not mark `alive` at death; only the pid tells then */
  uint32_t reserved1[14];
  /* Offset from the start of the area below which the heap is backed by memory. Only grows. */
  uint64_t secured_end __attribute__((aligned(64)));
  /* For tools; the control thread brings them up to date, at most a second late. */
  uint64_t heap_used_bytes;
  uint64_t heap_peak_bytes;
  uint64_t loans_open;
  uint64_t reserved2[4];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_area_header) == 192, "area header");

/* Wait set i of the process; word i of the doorbell wakes it.
 * sleeping: 1 from before the wait set's last look at its rings until it is awake again. */
struct agnocast_waiter
{
  uint32_t sleeping __attribute__((aligned(64)));
  uint32_t reserved[15];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_waiter) == 64, "waiter");

#define AGNOCAST_WAITERS_OFFSET 0x1000ull
AGNOCAST_LAYOUT(AGNOCAST_WAITERS_OFFSET + AGNOCAST_WAITERS * 64u <= AGNOCAST_CONTROL, "waiters");

/* Which of many has something new: bit h - 1 is that of hint h. Set by peers, cleared by the
 * process itself before it looks. A hint is no promise: one that is set for nothing costs a look,
 * and one that somebody took away a second. */
#define AGNOCAST_HINTS 32768u
#define AGNOCAST_HINTS_IN_WORD 64u
#define AGNOCAST_HINT_WORDS (AGNOCAST_HINTS / AGNOCAST_HINTS_IN_WORD)

struct agnocast_doorbell
{
  uint32_t words[AGNOCAST_WAITERS];
  uint64_t hints[AGNOCAST_HINT_WORDS];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_doorbell) == 2 * AGNOCAST_PAGE, "doorbell");

/* One published message. mark: 0 while the entry was never used; the sequence number while the
 * message can be taken; with AGNOCAST_RETIRED added once it is retired; AGNOCAST_ENTRIES_MOVED when
 * ring.entries names other entries. So one look at the entry of the next message tells whether it
 * was published. An entry has a cache line of its own: retiring one message must not disturb the
 * reader of the next. */
#define AGNOCAST_RETIRED 0x8000000000000000ull
#define AGNOCAST_ENTRIES_MOVED 0xffffffffffffffffull
struct agnocast_ring_entry
{
  uint64_t mark __attribute__((aligned(64)));
  uint64_t address;
  uint64_t stamp_ns; /* CLOCK_MONOTONIC at publish, as outside of all time namespaces */
  /* Bytes of this and all earlier messages of the publisher, for tools: with what containers own,
   * as far as the audit saw it. */
  uint64_t total_bytes;
  uint64_t reserved[4];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_ring_entry) == 64, "ring entry");

/* One for each publisher, in its area.
 * Invariants: 1. tail - 1 <= head. 2. Sequences in [tail, head] are takeable unless retired early.
 * 3. There are more entries than messages in [tail, head], so the entry being written is retired.
 */
struct agnocast_ring
{
  uint64_t publisher_id __attribute__((aligned(64))); /* 0: this memory is no ring any more */
  uint32_t waiter; /* of a publisher that waits for room, else AGNOCAST_NO_WAITER */
  uint32_t reserved0;
  uint64_t description; /* offset of the message type's agnocast_description; 0: none */
  uint64_t moved_parts; /* how many parts the audit moved into the shared heap so far */
  /* How many messages are live at most when a publish has returned: a reader of this depth or more
   * need not look whether it is further behind. */
  uint64_t live_max;
  uint32_t reserved2[6];
  uint64_t head __attribute__((aligned(64))); /* last published sequence; 0: none */
  uint64_t tail;                              /* oldest sequence still takeable; first is 1 */
  uint64_t entries; /* offset of the entries, a multiple of 64, plus log2 of how many there are */
  uint64_t reserved1[5];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_ring) == 128, "ring");

#define AGNOCAST_RING_ENTRIES_LOG2_MAX 20u

/* One for each subscription, in its area: the head of the list of its connections. */
struct agnocast_subscription
{
  uint64_t subscription_id __attribute__((aligned(64))); /* 0: no subscription any more */
  uint64_t first_connection;                             /* offset; 0: none */
  uint32_t waiter; /* index of the wait set, or AGNOCAST_NO_WAITER */
  uint16_t hint;   /* for that wait set; 0: it looks at this subscription each time */
  uint16_t has_hinted_connections; /* 1: publishers look for the hint of their connection too */
  uint64_t description;            /* offset of the message type's agnocast_description; 0: none */
  uint32_t reserved[8];
  /* For tools; away from what publishers read at each message. */
  uint64_t lost __attribute__((aligned(64))); /* messages that were gone before they were taken */
  uint64_t delay_ns; /* from publish to take, of a message of lately; 0: none was measured */
  uint64_t reserved1[6];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_subscription) == 128, "subscription");

#define AGNOCAST_CONNECTIONS_MAX 4096u
#define AGNOCAST_HOLDS_MAX 4096u

/* One for each subscription and publisher, in the subscriber's area.
 * Invariants: 1. cursor only grows while publisher_id stays. 2. A message of which the sequence
 * stands in holds[0..holds_end) is not freed. 3. holds_end is above a hold before
 * it is set; it is set back only over holds that are 0. */
struct agnocast_connection
{
  uint64_t publisher_id __attribute__((aligned(64))); /* 0: no connection any more */
  uint64_t next;                                      /* offset of the next connection; 0: last */
  uint16_t holds_capacity;
  uint16_t hint; /* 0: the subscription looks at this connection each time */
  uint32_t holds_end;
  uint64_t cursor;   /* the next sequence to take */
  uint64_t holds[4]; /* holds_capacity of them follow in the same block; 0: free */
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_connection) == 64, "connection");
#define AGNOCAST_HOLDS_OFFSET 32u
#ifdef __cplusplus
static_assert(offsetof(struct agnocast_connection, holds) == AGNOCAST_HOLDS_OFFSET, "holds");
#endif

#define AGNOCAST_ANNOUNCEMENT_MAGIC 0x31434e4e41534741ull /* "AGSANNC1" */
/* What an endpoint that comes or goes puts into the queues of the processes at the other end of its
 * topic; all 0 but the process's own when a process leaves. */
struct agnocast_announcement
{
  uint64_t magic;
  uint64_t endpoint_id;
  uint64_t process_id;
  uint64_t area_address;
  uint64_t area_bytes;
  uint32_t slot;
  uint32_t topic; /* index of its record */
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_announcement) == 48, "announcement");

#endif
