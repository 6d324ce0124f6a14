/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The rules that change the registry: a pure state machine over its pages.
 *
 * Copyright the Agnocast C++ authors.
 *
 * It knows no locks, clock, allocation or system calls; its host does: a locked file in user
 * space, the kernel module, or a fuzzer. It reads the pages and asks the host to store; it
 * believes nothing that it reads: any content of the pages gives a status, never a wild access.
 *
 * Not thread-safe: the host holds the registry's lock around every call.
 */
#ifndef AGNOCAST_LEDGER_H
#define AGNOCAST_LEDGER_H

#include "abi/registry_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

struct agnocast_ledger
{
  const uint8_t* pages; /* sizeof(struct agnocast_registry) bytes; stores must show here at once */
  /* Stores `bytes` at `offset`, in program order with the stores before. 0, or an error of the
   * host, which ends the operation with AGNOCAST_LEDGER_STORE_FAILED. */
  int (*store)(void* context, uint64_t offset, const void* source, uint64_t bytes);
  void* context;
  int store_error; /* the host's error after AGNOCAST_LEDGER_STORE_FAILED */
};

enum agnocast_ledger_status {
  AGNOCAST_LEDGER_OK = 0,
  AGNOCAST_LEDGER_BLANK,   /* all zero: to be initialized */
  AGNOCAST_LEDGER_FOREIGN, /* not a registry */
  AGNOCAST_LEDGER_VERSION, /* a registry of another version or size */
  AGNOCAST_LEDGER_CORRUPT, /* a registry with impossible values */
  AGNOCAST_LEDGER_BAD_ARGUMENT,
  AGNOCAST_LEDGER_NO_PROCESS_SLOT,
  AGNOCAST_LEDGER_NO_TOPIC_SLOT,
  AGNOCAST_LEDGER_NO_ENDPOINT_SLOT,
  AGNOCAST_LEDGER_TYPE_MISMATCH,
  AGNOCAST_LEDGER_NOT_FOUND,
  AGNOCAST_LEDGER_STORE_FAILED,
};

struct agnocast_ledger_setup
{
  uint64_t window_base;
  uint64_t window_bytes;
  uint64_t slot_bytes;
  uint64_t first_id; /* greater than any id handed out by a former registry of the domain */
  uint32_t domain;
};

struct agnocast_ledger_process
{
  int32_t pid;
  uint32_t uid;
  uint64_t pid_namespace;
  char name[AGNOCAST_PROCESS_NAME_BYTES];
};

struct agnocast_ledger_endpoint
{
  uint32_t kind;
  uint32_t process;
  uint64_t process_id;
  uint64_t control_offset;
  uint32_t depth;
  uint8_t history;
  uint8_t reliability;
  uint8_t durability;
  char topic[AGNOCAST_NAME_BYTES];
  char node[AGNOCAST_NAME_BYTES];
  char type_name[AGNOCAST_NAME_BYTES];
  uint64_t type_hash;
  uint64_t type_bytes;
  uint64_t type_alignment;
};

struct agnocast_ledger_added
{
  uint32_t index; /* of the process or endpoint record */
  uint32_t topic; /* of an endpoint; after TYPE_MISMATCH the topic that disagrees */
  uint64_t id;
};

/* Whether the header can be believed. */
enum agnocast_ledger_status agnocast_ledger_check(const struct agnocast_ledger* ledger);

/* Makes a registry of pages that check() called BLANK. */
enum agnocast_ledger_status agnocast_ledger_init(struct agnocast_ledger* ledger,
                                                 const struct agnocast_ledger_setup* setup);

/* The first free slot from `first` on, around to it again; the next process should begin its search
 * at header.next_slot. It takes the slot with add_process. A slot of a process that joins is not
 * free. */
enum agnocast_ledger_status agnocast_ledger_free_slot(const struct agnocast_ledger* ledger,
                                                      uint32_t first, uint32_t* slot);

/* The process joins: it has a slot and an id, and nobody sees it before finish_process. */
enum agnocast_ledger_status agnocast_ledger_add_process(
  struct agnocast_ledger* ledger, uint32_t slot, const struct agnocast_ledger_process* process,
  struct agnocast_ledger_added* added);

/* The process that joined is live. */
enum agnocast_ledger_status agnocast_ledger_finish_process(struct agnocast_ledger* ledger,
                                                           uint32_t process, uint64_t process_id);

/* Removes the process, joining or live, and its endpoints. May be called again if it was cut short.
 */
enum agnocast_ledger_status agnocast_ledger_remove_process(struct agnocast_ledger* ledger,
                                                           uint32_t process, uint64_t process_id);

enum agnocast_ledger_status agnocast_ledger_add_endpoint(
  struct agnocast_ledger* ledger, const struct agnocast_ledger_endpoint* endpoint,
  struct agnocast_ledger_added* added);

/* Sets the depth to 0: the endpoint asks for nothing any more, but its holds still count. */
enum agnocast_ledger_status agnocast_ledger_close_endpoint(struct agnocast_ledger* ledger,
                                                           uint32_t endpoint, uint64_t id);

enum agnocast_ledger_status agnocast_ledger_remove_endpoint(struct agnocast_ledger* ledger,
                                                            uint32_t endpoint, uint64_t id);

/* The first violated invariant of registry_layout.h as text, or NULL. */
const char* agnocast_ledger_audit(const struct agnocast_ledger* ledger);

/* Processes that are live or joining. */
uint32_t agnocast_ledger_process_count(const struct agnocast_ledger* ledger);

#ifdef __cplusplus
}
#endif

#endif
