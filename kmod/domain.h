/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Domains and their members.
 *
 * A domain is a registry: one for each number and ipc namespace. A member is a process, by its
 * memory (mm), that has entered it; it leaves when its last mapping of the registry goes, which is
 * when its memory goes, however it ends. A forked child has other memory, so it is no member, and
 * what it does with inherited descriptors and mappings keeps nobody in.
 *
 * What a process has in the registry stays a moment longer than it does (departure_ms): what it has
 * published last is then still found by those who were about to connect.
 *
 * Locks: domains_lock, then domain->lock. Both may be taken under an mmap_lock (a mapping goes), so
 * nothing is copied to or from user space while one is held.
 *
 * Copyright the Agnocast C++ authors.
 */
#ifndef AGNOCAST_DOMAIN_H
#define AGNOCAST_DOMAIN_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "abi/kernel_interface.h"

struct mm_struct;

struct agnocast_domain
{
  struct kref ref;       /* by the list, members, and files that look */
  struct list_head node; /* in the list of domains while it has members; domains_lock */
  unsigned int ipc_namespace;
  u32 number;
  kuid_t owner;
  kgid_t group;
  u32 access;
  struct mutex lock;                /* the pages, and the members' state */
  struct list_head members;         /* domains_lock as well */
  struct agnocast_member* has_turn; /* or NULL; changed by cmpxchg */
  unsigned long turns;              /* how many there were */
  wait_queue_head_t turn_given;
  struct agnocast_registry* pages; /* written under the lock, read by anybody */
};

struct agnocast_member
{
  struct kref ref; /* by files, mappings and calls */
  struct agnocast_domain* domain;
  struct mm_struct* mm;        /* kept from being given out again; only compared */
  struct list_head node;       /* in domain->members until it is removed */
  struct delayed_work removal; /* of what it has in the registry, once it has left */
  /* Under domain->lock: */
  unsigned int files;
  unsigned int mappings; /* of this mm; 0 for the second time: it leaves */
  bool has_left;
  bool has_process;
  u32 slot;
  u64 process_id;
};

/* All functions return 0 or a negative errno unless said otherwise. */

int agnocast_set_up_domains(void);
/* Removes at once whoever has left. Nobody enters meanwhile: the module goes. */
void agnocast_clear_domains(void);

/* Makes the caller a member; with a reference and counted as a file of it. */
struct agnocast_member* agnocast_enter(struct agnocast_enter_args* args);
/* The file goes. */
void agnocast_close_member(struct agnocast_member* member);
/* A mapping of the registry is made, copied (by fork, into other memory) or goes. Of those in
 * other memory only the reference counts.
 */
int agnocast_map_member(struct agnocast_member* member, struct mm_struct* mm);
void agnocast_copy_mapping(struct agnocast_member* member, struct mm_struct* mm);
void agnocast_unmap_member(struct agnocast_member* member, struct mm_struct* mm);

/* A domain that is there, with a reference, for who may look at it. */
struct agnocast_domain* agnocast_look(u32 number);
void agnocast_put_domain(struct agnocast_domain* domain);

int agnocast_take_turn(u32 number);
int agnocast_give_turn(u32 number);
int agnocast_add_process(struct agnocast_process_args* args);
int agnocast_finish_process(u32 number);
int agnocast_remove_process(u32 number);
int agnocast_forget_process(const struct agnocast_ticket_args* args, u32 unused);
/* With -EPROTOTYPE too, args->topic is set. */
int agnocast_add_endpoint(struct agnocast_endpoint_args* args, u32 kind);
int agnocast_close_endpoint(const struct agnocast_ticket_args* args, u32 kind);
int agnocast_remove_endpoint(const struct agnocast_ticket_args* args, u32 kind);

#endif
