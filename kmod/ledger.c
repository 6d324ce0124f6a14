// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The registry's rules, the same as in user space. Copyright the Agnocast C++ authors. */
#include "ledger/ledger.c"
