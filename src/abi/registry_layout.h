/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The registry: who is here. One flat file (or the same pages of the kernel module).
 *
 * Copyright the Agnocast C++ authors.
 *
 * Who writes what: only the ledger (src/ledger), run by a host that holds the registry's lock.
 * Everybody else maps the pages read-only and never locks.
 *
 * Invariants
 * 1. A record counts if and only if its state word is AGNOCAST_LIVE and its index is below the
 *    table's high-water mark. The body of a live record does not change, but for a topic's
 *    generations and an endpoint's depth.
 *    A process that is JOINING keeps its slot and its names; it counts for nobody else. Its body
 * does not change either, and its state only to LIVE or FREE.
 * 2. Ids (of processes and endpoints) are handed out once and never again.
 * 3. A live endpoint names a live process by index and id, and a live topic by index.
 * 4. A topic is live if and only if a live endpoint names it.
 * 5. A topic has a generation for its publishers and one for its subscriptions. It changes whenever
 *    an endpoint of that kind comes, goes or changes, and is never set back, also when the index is
 *    given to another topic.
 *
 * Ordering: the writer stores a body before its state word, the state word before the high-water
 * mark, and that before the topic's generation of its kind; a full fence follows the last store.
 *
 * If the writer dies half-way: before the state word, the record is still free and will be written
 * anew; between state word and high-water mark, the record is out of sight and its index is the
 * next to be given out; before the generation, the topic's other ends learn of it at the next
 * change or when the dead process is removed. An endpoint's record that was freed keeps its body,
 * and its process until the generation was advanced: who removes the process, or uses the record
 * again, advances it otherwise.
 */
#ifndef AGNOCAST_ABI_REGISTRY_LAYOUT_H
#define AGNOCAST_ABI_REGISTRY_LAYOUT_H

#include "abi/types.h"

#define AGNOCAST_REGISTRY_MAGIC 0x3159525447455241ull /* "AREGTRY1" */

#define AGNOCAST_FREE 0u
#define AGNOCAST_LIVE 1u
#define AGNOCAST_JOINING 2u /* a process that has its slot and id, and nothing to show yet */

#define AGNOCAST_PROCESS_CAPACITY 1024u
#define AGNOCAST_TOPIC_CAPACITY 1024u
#define AGNOCAST_ENDPOINT_CAPACITY 4096u
#define AGNOCAST_PROCESS_NAME_BYTES 32u

enum agnocast_endpoint_kind { AGNOCAST_PUBLISHER = 1, AGNOCAST_SUBSCRIPTION = 2 };
enum agnocast_history { AGNOCAST_KEEP_LAST = 0, AGNOCAST_KEEP_ALL = 1 };
enum agnocast_reliability { AGNOCAST_BEST_EFFORT = 0, AGNOCAST_RELIABLE = 1 };
enum agnocast_durability { AGNOCAST_VOLATILE = 0, AGNOCAST_TRANSIENT_LOCAL = 1 };

struct agnocast_registry_header
{
  uint64_t magic; /* stored last when the registry is made */
  uint32_t abi_version;
  uint32_t total_bytes;
  uint64_t window_base; /* the same range of addresses in every process of the domain */
  uint64_t window_bytes;
  uint64_t slot_bytes;
  uint32_t process_capacity; /* slots in the window, at most AGNOCAST_PROCESS_CAPACITY */
  uint32_t topic_capacity;
  uint32_t endpoint_capacity;
  uint32_t domain;
  uint64_t next_id;
  uint32_t processes_end; /* high-water marks: records at and above were never live */
  uint32_t topics_end;
  uint32_t endpoints_end;
  uint32_t next_slot;  /* where the search for a free slot begins, so that none is reused early */
  uint64_t generation; /* changes with every change of the registry */
  uint64_t reserved[5];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_registry_header) == 128, "registry header");

/* Record i owns slot i of the window. */
struct agnocast_process_record
{
  uint32_t state;
  int32_t pid; /* in its own pid namespace */
  uint64_t id;
  uint64_t pid_namespace; /* inode of the namespace */
  uint32_t uid;
  uint32_t reserved0;
  char name[AGNOCAST_PROCESS_NAME_BYTES]; /* "<pid>" or "<pid>.<suffix>": what follows the @ */
  uint64_t reserved[8];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_process_record) == 128, "process record");

struct agnocast_topic_record
{
  uint32_t state;
  uint32_t reserved0;
  uint64_t publishers_generation;
  uint64_t type_bytes;
  uint64_t type_alignment;
  uint64_t type_hash; /* of the type's description */
  uint64_t subscriptions_generation;
  uint64_t reserved[2];
  char name[AGNOCAST_NAME_BYTES];
  char type_name[AGNOCAST_NAME_BYTES];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_topic_record) == 576, "topic record");

struct agnocast_endpoint_record
{
  uint32_t state;
  uint32_t kind; /* agnocast_endpoint_kind */
  uint64_t id;
  uint64_t process_id;
  uint32_t process;        /* index of its record */
  uint32_t topic;          /* index of its record */
  uint64_t control_offset; /* of its ring or subscription, from the start of the process's area */
  uint32_t depth;          /* 0: closed, and waiting for the last of its holds */
  uint8_t history;
  uint8_t reliability;
  uint8_t durability;
  uint8_t reserved0;
  uint64_t reserved[2];
  char node[AGNOCAST_NAME_BYTES];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_endpoint_record) == 320, "endpoint record");

struct agnocast_registry
{
  struct agnocast_registry_header header;
  struct agnocast_process_record processes[AGNOCAST_PROCESS_CAPACITY];
  struct agnocast_topic_record topics[AGNOCAST_TOPIC_CAPACITY];
  struct agnocast_endpoint_record endpoints[AGNOCAST_ENDPOINT_CAPACITY];
};

#endif
