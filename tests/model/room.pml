/* Waiting for room under keep_all: two threads publish on one publisher of depth 1 and wait for a
 * reliable subscription that polls. Another subscription was there before the publisher, never
 * connects, and leaves: until it does, the first message is kept for it.
 *
 * Mirrors   PublisherCore::wait_for_room, slowest_cursor, refresh (src/topic/publisher_core.cc);
 *           Connection::move_cursor, tell_publisher (src/topic/connection.cc); ControlThread::reclaim
 *           (src/runtime/control_thread.cc); futex(2).
 * Property  Both threads publish all they have, and no message is retired before the subscription has
 *           moved past it. If a thread slept for ever with room there, the model would have a state
 *           that nobody leaves.
 * Bounds    2 messages of each thread, 2 stores in a buffer. The futex never returns without reason and
 *           there is no deadline. A thread's stores are out of its buffer when it gives the lock back.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define MESSAGES 2
#define BUFFERED 2
#define CPUS 3
#define SUBSCRIPTION 2 /* 0 and 1: the publishing threads */

#define HEAD 0
#define CURSOR 1
#define SLEEPING 2
#define WORDS 3
#include "memory.inc"

bit unconnected = 1; /* registered */
bit moved;           /* the topic's generation is not what the publisher saw */
byte bell;
bit asleep[2];
bit locked;

/* The publisher's, under its lock. */
byte head;
byte waiting;
bit knows_unconnected = 1;

inline ring()
{
  bell++;
  asleep[0] = 0;
  asleep[1] = 0
}

inline refresh_if_changed()
{
  if
  :: moved -> moved = 0; knows_unconnected = unconnected;
#ifndef BUG_LEAVER_NOT_TOLD
    if
    :: waiting != 0 -> ring()
    :: else
    fi
#endif
  :: else
  fi
}

/* head + 1 - slowest_cursor() < depth */
inline look_for_room()
{
  refresh_if_changed();
#ifdef BUG_CURSOR_LOAD_ACQUIRE
  load_acquire(CURSOR, x);
#else
  load_seq_cst(me, CURSOR, x);
#endif
  has_room = (x == head + 1 && (!knows_unconnected || head == 0));
  x = 0
}

proctype publishing_thread(byte me)
{
  byte count = 0, seen = 0, x = 0;
  bit has_room = 0;

  do
  :: count < MESSAGES ->
    atomic { !locked -> locked = 1 }
again:
    look_for_room();
    if
    :: !has_room ->
      waiting++;
      seen = bell;
#ifdef BUG_SLEEPING_STORE_RELEASE
      store_release(me, SLEEPING, 1);
#else
      store_seq_cst(me, SLEEPING, 1);
#endif
#ifndef BUG_NO_LAST_LOOK
      look_for_room();
#endif
#ifdef BUG_BELL_READ_AFTER_LOOK
      seen = bell;
#endif
      if
      :: !has_room ->
        atomic { empty_buffer(me) -> locked = 0 }
        atomic {
          if
          :: bell == seen -> asleep[me] = 1
          :: else
          fi
        }
        asleep[me] == 0;
        atomic { !locked -> locked = 1 }
      :: else
      fi;
      waiting--;
      seen = 0;
      if
#ifdef BUG_SLEEPING_CLEARED_BY_EACH
      :: true -> store_seq_cst(me, SLEEPING, 0)
#else
      :: waiting == 0 -> store_seq_cst(me, SLEEPING, 0)
      :: else
#endif
      fi;
      goto again
    :: else
    fi;
    has_room = 0;
    head++;
    count++;
    store_seq_cst(me, HEAD, head);
    if
    :: head > 1 -> assert(memory[CURSOR] >= head && !unconnected) /* the one before is retired */
    :: else
    fi;
    atomic { empty_buffer(me) -> locked = 0 }
  :: else -> break
  od
}

proctype subscription()
{
  byte cursor = 1, x = 0;

  do
  :: cursor <= 2 * MESSAGES ->
    memory[HEAD] >= cursor;
    cursor++;
#ifdef BUG_SLEEPING_READ_BEFORE_CURSOR
    load_seq_cst(SUBSCRIPTION, SLEEPING, x);
#endif
#ifdef BUG_CURSOR_STORE_RELEASE
    store_release(SUBSCRIPTION, CURSOR, cursor);
#else
    store_seq_cst(SUBSCRIPTION, CURSOR, cursor);
#endif
#if defined(BUG_SLEEPING_LOAD_ACQUIRE)
    load_acquire(SLEEPING, x);
#elif !defined(BUG_SLEEPING_READ_BEFORE_CURSOR)
    load_seq_cst(SUBSCRIPTION, SLEEPING, x);
#endif
    if
    :: x == 1 -> atomic { empty_buffer(SUBSCRIPTION) -> ring() }
    :: else
    fi;
    x = 0
  :: else -> break
  od
}

/* Leaves without ever having connected. */
proctype leaver()
{
  atomic { unconnected = 0; moved = 1 }
}

/* Looks at the publisher from time to time. */
proctype control_thread()
{
end:
  do
  :: atomic { moved && !locked -> refresh_if_changed() }
  od
}

init
{
  atomic {
    memory[CURSOR] = 1;
    run store_buffers();
    run publishing_thread(0);
    run publishing_thread(1);
    run subscription();
    run leaver();
    run control_thread()
  }
}
