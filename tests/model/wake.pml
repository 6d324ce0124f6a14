/* Sleep against wake-up. A wait set sleeps, and meanwhile (TWO) a second subscription is added to it,
 * of another publisher; or (ROOM) the hold limit of 1 is reached, and another thread releases; or
 * (ENDS) another thread stops the program or wakes the wait set.
 *
 * Mirrors   WaitSetCore::wait, add, look_again, wake (src/topic/wait_set_core.cc); wake_sleepers
 *           (src/topic/publisher_core.cc); SubscriptionCore::is_ready, release (src/topic/
 *           subscription_core.cc); Runtime::ring_own_doorbells (src/runtime/runtime.cc); futex(2).
 * Property  The wait set ends: it gets all messages, or was told to. If it slept for ever with a
 *           message unread and room for it, or after it was told, the model would have a state that
 *           nobody leaves.
 * Bounds    2 or 3 messages of a publisher, 2 stores in a buffer. The futex never returns without
 *           reason and there is no deadline: both would hide a lost wake-up.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define BUFFERED 2
#define CPUS 4
#define WAIT_SET 0 /* 1 and 2: the publishers */
#define OTHER 3

#define HEAD(publisher) (publisher)
#define SLEEPING 2
#define WAITER(publisher) (3 + (publisher)) /* 1: the wait set */
#define STOP 5
#define WOKEN 6
#define WANTS_ROOM 7
#define WORDS 8
#include "memory.inc"

byte scenario;
#define TWO 0
#define ROOM 1
#define ENDS 2
byte wanted; /* how many messages there will be */

byte bell;     /* only added to, by atomic operations */
bit asleep;    /* in futex_wait() */
byte held;     /* an atomic counter */
bit is_member; /* the second subscription is in the wait set's list, which has a mutex */

inline ring()
{
#ifdef BUG_BELL_NOT_ADDED_TO
  asleep = 0
#else
  bell++;
  asleep = 0
#endif
}

inline take_if_ready(p)
{
  if
  :: p == 0 || is_member ->
#ifdef BUG_HEAD_LOAD_ACQUIRE
    load_acquire(HEAD(p), x);
#else
    load_seq_cst(WAIT_SET, HEAD(p), x);
#endif
    if
    :: x > read[p] -> ready = 1
    :: else
    fi
  :: else
  fi
}

/* is_ready() of each subscription; one hold limit for both. */
inline look()
{
  ready = 0;
#ifdef BUG_HELD_NOT_COUNTED_AGAIN
  if
  :: held >= 1 -> store_seq_cst(WAIT_SET, WANTS_ROOM, 1); has_room = 0
  :: else -> has_room = 1
  fi;
#else
  if
  :: atomic { held >= 1 ->
#ifdef BUG_WANTS_ROOM_STORE_RELEASE
      store_release(WAIT_SET, WANTS_ROOM, 1)
#else
      store_seq_cst(WAIT_SET, WANTS_ROOM, 1)
#endif
    };
    atomic { marked_stores[WAIT_SET] == 0 -> has_room = (held < 1 -> 1 : 0) }
  :: held < 1 -> has_room = 1
  fi;
#endif
  if
  :: has_room -> take_if_ready(0); take_if_ready(1)
  :: else
  fi;
  x = 0; has_room = 0
}

inline look_for_stop()
{
  load_seq_cst(WAIT_SET, STOP, x);
  if
  :: x == 1 -> goto ended
  :: else
  fi;
  load_seq_cst(WAIT_SET, WOKEN, x);
  if
  :: x == 1 -> goto ended
  :: else
  fi
}

proctype wait_set()
{
  byte read[2], x = 0, seen = 0;
  bit ready = 0, has_room = 0;

  do
  :: read[0] + read[1] == wanted -> break
  :: else ->
    look();
    if
    :: ready -> goto take
    :: else
    fi;
    look_for_stop();
#ifndef BUG_BELL_READ_AFTER_LOOK
    seen = bell;
#endif
#if defined(BUG_SLEEPING_STORE_RELEASE)
    store_release(WAIT_SET, SLEEPING, 1);
#else
    store_seq_cst(WAIT_SET, SLEEPING, 1);
#endif
#ifndef BUG_NO_LAST_LOOK
    look();
#endif
    if
    :: ready -> store_seq_cst(WAIT_SET, SLEEPING, 0); goto take
    :: else
    fi;
#ifndef BUG_NO_LAST_LOOK_FOR_STOP
    look_for_stop();
#endif
#ifdef BUG_BELL_READ_AFTER_LOOK
    seen = bell;
#endif
#ifdef BUG_SLEEPING_CLEARED_TOO_EARLY
    store_seq_cst(WAIT_SET, SLEEPING, 0);
#endif
    atomic {
      if
      :: bell == seen -> asleep = 1
      :: else
      fi;
      seen = 0
    }
    asleep == 0;
    store_seq_cst(WAIT_SET, SLEEPING, 0);
    goto next;
take:
    do
    :: held >= 1 -> break
    :: held < 1 -> /* take() looks again */
      if
      :: atomic { memory[HEAD(0)] > read[0] -> read[0]++; held = (scenario == ROOM) }
      :: atomic { is_member && memory[HEAD(1)] > read[1] -> read[1]++ }
      :: else -> break
      fi
    od;
    ready = 0;
next:
    skip
  od;
ended:
  skip
}

proctype publisher(byte me; byte messages)
{
  byte head = 0, x = 0;

  do
  :: head < messages ->
    head++;
#ifdef BUG_SLEEPING_READ_BEFORE_HEAD
    load_seq_cst(1 + me, SLEEPING, x);
#endif
#ifdef BUG_HEAD_STORE_RELEASE
    store_release(1 + me, HEAD(me), head);
#else
    store_seq_cst(1 + me, HEAD(me), head);
#endif
#if defined(BUG_SLEEPING_LOAD_ACQUIRE)
    load_acquire(SLEEPING, x);
#elif !defined(BUG_SLEEPING_READ_BEFORE_HEAD)
    load_seq_cst(1 + me, WAITER(me), x);
    if
    :: x == 0 -> goto next
    :: else
    fi;
    load_seq_cst(1 + me, SLEEPING, x);
#endif
    if
    :: x == 1 -> empty_buffer(1 + me); ring()
    :: else
    fi;
next:
    x = 0
  :: else -> break
  od
}

/* release() on any thread. */
proctype releaser()
{
  byte x = 0;
end:
  do
  :: held != 0 ->
#ifdef BUG_WANTS_ROOM_READ_BEFORE_COUNTED
    x = memory[WANTS_ROOM];
    held--;
#else
    held--;
    x = memory[WANTS_ROOM];
#endif
    if
    :: x == 1 -> atomic { x = memory[WANTS_ROOM]; memory[WANTS_ROOM] = 0 }
      if
      :: x == 1 -> ring()
      :: else
      fi
    :: else
    fi;
    x = 0
  od
}

/* WaitSetCore::add */
proctype adder()
{
  is_member = 1;
  store_seq_cst(OTHER, WAITER(1), 1);
  empty_buffer(OTHER); /* add_seq_cst in look_again() */
#ifndef BUG_ADDED_WITHOUT_A_RING
  ring()
#endif
}

/* WaitSetCore::wake, or stop and ring_own_doorbells */
proctype ender()
{
  byte x = 0;

  if
  :: store_seq_cst(OTHER, WOKEN, 1); empty_buffer(OTHER); ring()
  ::
#ifdef BUG_STOP_STORE_RELEASE
    store_release(OTHER, STOP, 1);
#else
    store_seq_cst(OTHER, STOP, 1);
#endif
    load_seq_cst(OTHER, SLEEPING, x);
    if
    :: x == 1 -> empty_buffer(OTHER); ring()
    :: else
    fi
  fi
}

init
{
  atomic {
    memory[WAITER(0)] = 1;
    run store_buffers();
    run wait_set();
    if
    :: scenario = TWO; wanted = 4; run publisher(0, 2); run publisher(1, 2); run adder()
    :: scenario = ROOM; wanted = 3; run publisher(0, 3); run releaser()
    :: scenario = ENDS; wanted = 3; run publisher(0, 2); run ender() /* the third never comes */
    fi
  }
}
