/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Fixed-width types and assertions for layouts that C, C++ and the kernel share. */
/* Copyright the Agnocast C++ authors. */
#ifndef AGNOCAST_ABI_TYPES_H
#define AGNOCAST_ABI_TYPES_H

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/types.h>
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif
#else
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
#define AGNOCAST_LAYOUT(condition, text) static_assert(condition, text)
#else
#define AGNOCAST_LAYOUT(condition, text) _Static_assert(condition, text)
#endif

/* Raised with every change of a layout in this folder; processes of different versions refuse
 * each other. */
#define AGNOCAST_ABI_VERSION 6u

/* Bytes of a topic, type or node name, with the terminating zero. */
#define AGNOCAST_NAME_BYTES 256u

#endif
