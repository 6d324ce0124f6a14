/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel module and the library say to each other: the ioctls of /dev/agnocast.
 *
 * Copyright the Agnocast C++ authors.
 *
 * The registry's pages are those of registry_layout.h; a process maps them read-only, and changes
 * them by these commands. Each names the domain; that of the caller's ipc namespace is meant. Who
 * changes something must be a member: have entered the domain and mapped its pages. It stays one
 * until its memory goes (exit, exec, munmap), whatever becomes of the descriptors; a forked child
 * is none.
 *
 * All structures have the same layout for 32-bit programs. Reserved fields are 0, both ways.
 */
#ifndef AGNOCAST_ABI_KERNEL_INTERFACE_H
#define AGNOCAST_ABI_KERNEL_INTERFACE_H

#include "abi/registry_layout.h"

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#define AGNOCAST_DEVICE "/dev/agnocast"
#define AGNOCAST_KERNEL_INTERFACE_VERSION 2u

struct agnocast_version_args
{
  uint32_t interface_version; /* AGNOCAST_KERNEL_INTERFACE_VERSION */
  uint32_t abi_version;       /* AGNOCAST_ABI_VERSION */
  uint64_t registry_bytes;
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_version_args) == 16, "version");

enum agnocast_access {
  AGNOCAST_ACCESS_OWNER = 0,
  AGNOCAST_ACCESS_GROUP = 1,
  AGNOCAST_ACCESS_ALL = 2
};

/* In: what the caller wishes, if it is the first; a window of 0 bytes leaves it to the module. Out:
 * what the first has chosen. EACCES: the domain is another user's. */
struct agnocast_enter_args
{
  uint32_t domain;
  uint32_t access; /* agnocast_access */
  uint32_t uid;    /* out: who made the domain */
  uint32_t gid;    /* of AGNOCAST_ACCESS_GROUP */
  uint64_t window_base;
  uint64_t window_bytes;
  uint64_t slot_bytes;
  uint64_t reserved;
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_enter_args) == 48, "enter");

/* The process joins: it has the slot and an id, and nobody sees it before
 * AGNOCAST_FINISH_PROCESS_CMD. The slot must be free: EBUSY. Pid, namespace and user of the record
 * are the kernel's word. */
struct agnocast_process_args
{
  uint32_t domain;
  uint32_t slot;
  uint64_t id; /* out */
  char name[AGNOCAST_PROCESS_NAME_BYTES];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_process_args) == 48, "process");

struct agnocast_endpoint_args
{
  uint32_t domain;
  uint32_t index; /* out: of the endpoint */
  uint32_t topic; /* out; with EPROTOTYPE the topic that carries another type */
  uint32_t depth;
  uint64_t id; /* out */
  uint64_t control_offset;
  uint64_t type_hash;
  uint64_t type_bytes;
  uint64_t type_alignment;
  uint8_t history;
  uint8_t reliability;
  uint8_t durability;
  uint8_t reserved[5];
  char topic_name[AGNOCAST_NAME_BYTES];
  char node[AGNOCAST_NAME_BYTES];
  char type_name[AGNOCAST_NAME_BYTES];
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_endpoint_args) == 64 + 3 * AGNOCAST_NAME_BYTES, "endpoint");

/* One of the caller's own: ENOENT if it is not. */
struct agnocast_ticket_args
{
  uint32_t domain;
  uint32_t index;
  uint64_t id;
};
AGNOCAST_LAYOUT(sizeof(struct agnocast_ticket_args) == 16, "ticket");

#define AGNOCAST_IOCTL_TYPE 0xa9

#define AGNOCAST_GET_VERSION_CMD _IOR(AGNOCAST_IOCTL_TYPE, 1, struct agnocast_version_args)
/* The file stands for the domain from now on: it can be mapped. Once for each file. */
#define AGNOCAST_ENTER_CMD _IOWR(AGNOCAST_IOCTL_TYPE, 2, struct agnocast_enter_args)
/* The same for who only looks: the file can be read, with pread, and nothing else. ENOENT: there is
 * no such domain. */
#define AGNOCAST_LOOK_CMD _IOW(AGNOCAST_IOCTL_TYPE, 3, uint32_t)
#define AGNOCAST_ADD_PROCESS_CMD _IOWR(AGNOCAST_IOCTL_TYPE, 4, struct agnocast_process_args)
#define AGNOCAST_REMOVE_PROCESS_CMD _IOW(AGNOCAST_IOCTL_TYPE, 5, uint32_t)
#define AGNOCAST_ADD_PUBLISHER_CMD _IOWR(AGNOCAST_IOCTL_TYPE, 6, struct agnocast_endpoint_args)
#define AGNOCAST_ADD_SUBSCRIBER_CMD _IOWR(AGNOCAST_IOCTL_TYPE, 7, struct agnocast_endpoint_args)
/* Sets the depth to 0: it asks for nothing any more, but its holds still count. */
#define AGNOCAST_CLOSE_SUBSCRIBER_CMD _IOW(AGNOCAST_IOCTL_TYPE, 8, struct agnocast_ticket_args)
#define AGNOCAST_REMOVE_PUBLISHER_CMD _IOW(AGNOCAST_IOCTL_TYPE, 9, struct agnocast_ticket_args)
#define AGNOCAST_REMOVE_SUBSCRIBER_CMD _IOW(AGNOCAST_IOCTL_TYPE, 10, struct agnocast_ticket_args)

/* The domain's turn: while a member has it, no other gets it. Taken around the choice of a slot and
 * around cleaning up, so that no two do the same. It ends with its holder's membership.
 * ETIMEDOUT: the same holder has kept it for 10 s. */
#define AGNOCAST_TAKE_TURN_CMD _IOW(AGNOCAST_IOCTL_TYPE, 11, uint32_t)
#define AGNOCAST_GIVE_TURN_CMD _IOW(AGNOCAST_IOCTL_TYPE, 12, uint32_t)

/* A process that has ended without a farewell stays registered for a moment with its publishers, so
 * that those who are about to connect find its last messages. Any member that has done so may end
 * that: index is the slot, id the process's. ENOENT if that process has not ended, or is gone. */
#define AGNOCAST_FORGET_PROCESS_CMD _IOW(AGNOCAST_IOCTL_TYPE, 13, struct agnocast_ticket_args)

/* The caller's process, which was added before, is live from now on. ENOENT if it was not. */
#define AGNOCAST_FINISH_PROCESS_CMD _IOW(AGNOCAST_IOCTL_TYPE, 14, uint32_t)

/* Older names. */
#define AGNOCAST_NEW_SHM_CMD AGNOCAST_ADD_PROCESS_CMD
#define AGNOCAST_PUBLISHER_ADD_CMD AGNOCAST_ADD_PUBLISHER_CMD
#define AGNOCAST_SUBSCRIBER_ADD_CMD AGNOCAST_ADD_SUBSCRIBER_CMD

#endif
