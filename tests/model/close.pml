/* The end of a subscription: two threads take, each message is released on any thread, and one thread closes.
 *
 * Mirrors   SubscriptionCore::take_next, release, close, finish_if_done (src/topic/subscription_core.cc);
 *           Connection::reserve_hold, release_hold (src/topic/connection.cc).
 * Property  Nothing is taken once close() has returned. The subscription is registered as long as a hold is set, and
 *           is removed once, by whoever sees first that it is done. If nobody did, the model would have a
 *           state that nobody leaves.
 * Bounds    2 holds; each thread takes once. What a change of the registry does is one step.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define BUFFERED 2
#define CPUS 2
#define CLOSER 0
#define OTHERS 1 /* store with atomic operations only */

#define CLOSED 0
#define RELEASED 1 /* added to */
#define WORDS 2
#include "memory.inc"

#define UNKNOWN 0
#define OPEN 1
#define HOLDING 2 /* only its holds count */
byte registered = OPEN;

bit locked;
bit is_closed; /* as who has the lock sees it */
byte taken;
bit holds[2];
bit finished;
bit has_returned; /* close() */

inline finish_if_done(cpu)
{
  load_seq_cst(cpu, RELEASED, x);
  if
  :: taken == x ->
#ifdef BUG_FINISHED_BY_EACH
    first = !finished;
    finished = 1;
    first = 1;
#else
    d_step { first = !finished; finished = 1 }
#endif
    if
    :: first ->
      d_step { assert(registered != UNKNOWN && !holds[0] && !holds[1]); registered = UNKNOWN }
    :: else
    fi
  :: else
  fi;
  x = 0; first = 0
}

/* take() and, perhaps later, release() */
proctype holder()
{
  byte hold = 0, x = 0;
  bit first = 0;

#ifdef BUG_CLOSED_ASKED_BEFORE_LOCK
  x = is_closed;
#endif
  atomic { !locked -> locked = 1 }
#if !defined(BUG_CLOSED_ASKED_BEFORE_LOCK) && !defined(BUG_CLOSED_NOT_ASKED)
  x = is_closed;
#endif
  if
  :: x -> locked = 0; goto ended
  :: else
  fi;
  hold = (holds[0] -> 1 : 0);
  d_step { assert(!holds[hold] && !has_returned && registered != UNKNOWN); holds[hold] = 1 }
  taken++;
  locked = 0;

#ifdef BUG_CLOSED_ASKED_BEFORE_COUNTED
  load_seq_cst(OTHERS, CLOSED, x);
#endif
#ifdef BUG_COUNTED_BEFORE_HOLD_CLEARED
  memory[RELEASED] = memory[RELEASED] + 1;
#else
  holds[hold] = 0;
  memory[RELEASED] = memory[RELEASED] + 1;
#endif
#ifndef BUG_CLOSED_ASKED_BEFORE_COUNTED
  load_seq_cst(OTHERS, CLOSED, x);
#endif
  if
  :: x == 1 -> finish_if_done(OTHERS)
  :: else -> x = 0
  fi;
#ifdef BUG_COUNTED_BEFORE_HOLD_CLEARED
  holds[hold] = 0;
#endif
ended:
  skip
}

proctype closer()
{
  byte x = 0;
  bit first = 0, is_held = 0;

#ifdef BUG_COUNTED_BEFORE_CLOSED
  load_seq_cst(CLOSER, RELEASED, x);
  is_held = (taken != x);
#endif
  atomic { !locked -> locked = 1 }
  is_closed = 1;
#ifdef BUG_CLOSED_STORE_RELEASE
  store_release(CLOSER, CLOSED, 1);
#else
  store_seq_cst(CLOSER, CLOSED, 1);
#endif
  locked = 0;
#ifndef BUG_COUNTED_BEFORE_CLOSED
  load_seq_cst(CLOSER, RELEASED, x);
  is_held = (taken != x);
#endif
  if
  :: is_held ->
    if
    :: d_step { registered == OPEN -> registered = HOLDING }
    :: registered == UNKNOWN /* the last was released meanwhile: the id is no more */
    fi
  :: else
  fi;
  x = 0;
#ifdef BUG_COUNTED_BEFORE_CLOSED
  if
  :: !is_held -> finish_if_done(CLOSER)
  :: else
  fi;
#else
  finish_if_done(CLOSER);
#endif
  has_returned = 1
}

init
{
  atomic {
    run store_buffers();
    run holder();
    run holder();
    run closer()
  }
  registered == UNKNOWN
}
