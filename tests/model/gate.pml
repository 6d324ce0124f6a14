/* Callbacks against the destructor of their subscription. Up to three threads spin one subscription each.
 *
 *   OTHER    another thread destroys the subscription that is spun; its callback may spin it again
 *   ITSELF   the callback destroys its own subscription
 *   CIRCLE   each callback may destroy the next thread's subscription
 *
 * Mirrors   CallbackGate (src/node/callback_gate.cc); NodeCore::run_callbacks, remove_callback (src/node/node.cc);
 *           SubscriptionBase's destructor (src/node/subscription.cc).
 * Property  No call begins when remove_callback has returned, and none runs in another thread then, unless somebody
 *           there waits, perhaps through others, for a callback of the thread that calls it. What the callback
 *           captured lives while it runs, and not longer than the subscription and its calls. If all waited for
 *           each other, the model would have a state that nobody leaves.
 * Bounds    3 subscriptions, a thread for each, one call of each and one inside it. A lock of a gate is held for one
 *           step only. A subscription is destroyed once, by one thread: more is forbidden.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define GATES 3
#define THREADS 4 /* the last one spins nothing */
#define NOWHERE 9

byte scenario;
#define OTHER 0
#define ITSELF 1
#define CIRCLE 2

/* Of the gates. */
bit closed[GATES];
byte runs[GATES * THREADS];
#define RUNS(gate, thread) runs[(gate) * THREADS + (thread)]
#define ALL_RUNS(gate) (RUNS(gate, 0) + RUNS(gate, 1) + RUNS(gate, 2) + RUNS(gate, 3))
#ifdef BUG_WAITS_FOR_ITSELF
#define RUNS_OF_OTHERS(gate, self) ALL_RUNS(gate)
#else
#define RUNS_OF_OTHERS(gate, self) (ALL_RUNS(gate) - RUNS(gate, self))
#endif

/* The list of all waiters, under its lock. */
bit waiters_locked;
byte waits_at[THREADS] = NOWHERE;

bit listed[GATES] = 1;         /* in the node's list, which has a reference to it */
byte references[GATES] = 1;
bit has_callback[GATES] = 1;
bit removed[GATES];            /* remove_callback has returned */

inline drop_reference(gate)
{
  d_step {
    references[gate]--;
    if
    :: references[gate] == 0 -> has_callback[gate] = 0
    :: else
    fi
  }
}

/* Sets found to whether a thread inside of the gate waits for a callback of me. */
inline look_for_circle(gate)
{
  d_step {
    holds_up[0] = 0; holds_up[1] = 0; holds_up[2] = 0; holds_up[3] = 0;
    found = 0;
    n = 0; /* rounds: each that changes anything adds a thread */
    do
    :: n < THREADS ->
      t = 0;
      do
      :: t < THREADS ->
        if
        :: waits_at[t] != NOWHERE && (RUNS(gate, t) != 0 || holds_up[t]) ->
          holds_up[t] = 1;
          found = found || RUNS(waits_at[t], me) != 0;
#ifndef BUG_ONLY_THE_NEXT_IS_ASKED
          u = 0;
          do
          :: u < THREADS -> holds_up[u] = holds_up[u] || (RUNS(waits_at[t], u) != 0); u++
          :: else -> break
          od;
          u = 0
#endif
        :: else
        fi;
        t++
      :: else -> break
      od;
      n++
    :: else -> break
    od;
    holds_up[0] = 0; holds_up[1] = 0; holds_up[2] = 0; holds_up[3] = 0;
    n = 0; t = 0
  }
}

inline close(gate)
{
  gave_way = 0;
#ifdef BUG_LOOKED_BEFORE_CLOSED
  found = (RUNS_OF_OTHERS(gate, me) != 0);
  closed[gate] = 1;
#else
  d_step { closed[gate] = 1; found = (RUNS_OF_OTHERS(gate, me) != 0) }
#endif
#ifdef BUG_DOES_NOT_WAIT
  found = 0;
#endif
  if
  :: found ->
    atomic { !waiters_locked -> waiters_locked = 1 }
#if defined(BUG_WAITS_IN_A_CIRCLE)
    found = 0;
#elif defined(BUG_GIVES_WAY_TO_ALL)
    found = (waits_at[0] != NOWHERE || waits_at[1] != NOWHERE || waits_at[2] != NOWHERE);
#else
    look_for_circle(gate);
#endif
#ifdef BUG_LOCK_DROPPED_IN_BETWEEN
    waiters_locked = 0;
    atomic { !waiters_locked -> waiters_locked = 1 }
#endif
    if
    :: found -> gave_way = 1
    :: else -> waits_at[me] = gate
    fi;
    waiters_locked = 0;
    if
    :: !gave_way ->
      RUNS_OF_OTHERS(gate, me) == 0;
      atomic { !waiters_locked -> waits_at[me] = NOWHERE }
    :: else
    fi
  :: else
  fi
}

inline remove_callback(gate)
{
  listed[gate] = 0;
  close(gate);
  if
#ifdef BUG_CALLBACK_DESTROYED_INSIDE
  :: true -> has_callback[gate] = 0
#else
  :: ALL_RUNS(gate) == 0 -> has_callback[gate] = 0
  :: else
#endif
  fi;
  if
  :: gave_way -> look_for_circle(gate); assert(found || RUNS_OF_OTHERS(gate, me) == 0)
  :: else -> assert(RUNS_OF_OTHERS(gate, me) == 0)
  fi;
  removed[gate] = 1;
  found = 0; gave_way = 0;
  drop_reference(gate)
}

/* CallbackGate::Run's constructor */
inline enter(gate)
{
#ifdef BUG_CLOSED_NOT_ASKED
  allowed = 1;
  RUNS(gate, me)++;
#else
  d_step {
    allowed = !closed[gate];
    RUNS(gate, me) = RUNS(gate, me) + allowed
  }
#endif
  if
  :: allowed -> assert(!removed[gate])
  :: else
  fi
}

inline leave(gate)
{
  assert(has_callback[gate]); /* all through the call */
#ifdef BUG_INNER_CALL_ENDS_ALL
  RUNS(gate, me) = 0;
#else
  RUNS(gate, me)--;
#endif
}

proctype spins(byte me)
{
  byte next = 0, n = 0, t = 0, u = 0;
  bit allowed = 0, found = 0, gave_way = 0;
  bit holds_up[THREADS];

  if
  :: d_step { listed[me] -> references[me]++ }
  :: !listed[me] -> goto ended
  fi;
  enter(me);
  if
  :: allowed ->
    if
    :: scenario == OTHER -> /* spins again */
      if
      :: d_step { listed[me] -> references[me]++ }
        enter(me);
        if
        :: allowed -> leave(me)
        :: else
        fi;
        drop_reference(me)
      :: !listed[me]
      fi
    :: scenario == ITSELF -> remove_callback(me)
    :: scenario == CIRCLE -> next = (me + 1) % GATES; remove_callback(next)
    :: true
    fi;
    leave(me)
  :: else
  fi;
  drop_reference(me);
ended:
  skip
}

proctype destroys(byte me)
{
  byte n = 0, t = 0, u = 0;
  bit found = 0, gave_way = 0;
  bit holds_up[THREADS];

  remove_callback(0);
}

init
{
  atomic {
    if
    :: scenario = OTHER; run spins(0); run destroys(3)
    :: scenario = ITSELF; run spins(0)
    :: scenario = CIRCLE; run spins(0); run spins(1); run spins(2)
    fi
  }
  _nr_pr == 1;
  d_step {
    assert(!removed[0] || !has_callback[0]);
    assert(!removed[1] || !has_callback[1]);
    assert(!removed[2] || !has_callback[2])
  }
}
