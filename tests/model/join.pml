/* The life of the registry's file and of its lock's file: made by the first to join, removed by the last to
 * leave, found without a living process after the others were killed; all while others open the lock's file and
 * wait for the lock. Joining has two steps, between which the lock is free, and may fail there.
 *
 * Mirrors   RegistryLock::take, remove (src/registry/registry_lock.cc); UserRegistry::lock, start, begin_join,
 *           finish_join, remove_process, is_gone (src/registry/user_registry*.cc); Runtime::join_locked,
 *           undo_join (src/runtime/runtime.cc). Records are one word for each process here, see
 *           registry.pml.
 * Property  All processes that have joined, or join, and live are in one file, and that file has the name. What
 *           is removed has no living process in it. A process that leaves in order as the last, or whose
 *           join fails when nobody else is there, leaves no file behind.
 * Bounds    3 processes that join once each, KILLS of them killed, as many files as they can refer to;
 *           attempts to join are not bounded. A file's number is used again once nobody refers to it.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef KILLS
#define KILLS 2
#endif
#define PROCESSES 3
#define FILES 7
#define NONE 255

byte name = NONE;          /* the registry's file that the name leads to */
byte lock_name = NONE;     /* likewise the lock's */
byte lock_of[FILES];       /* who holds the lock of a lock's file */
bit initialized[FILES];
byte opened[PROCESSES];    /* the lock's file, by the operation under way */
byte mapped[PROCESSES];    /* the registry that the process works with */
byte member_of[PROCESSES]; /* where its record is */
bit live[PROCESSES];       /* its second step is done */
bit dead[PROCESSES];
byte kills;

#define IN(process, file) (member_of[process] == file && !dead[process])
#define LIVING(file) (IN(0, file) || IN(1, file) || IN(2, file))
#ifdef BUG_JOINING_NOT_COUNTED
#define COUNTS(process, file) (IN(process, file) && live[process])
#else
#define COUNTS(process, file) IN(process, file)
#endif
#define COUNTED(file) (COUNTS(0, file) || COUNTS(1, file) || COUNTS(2, file))
#define REFERRED(file) (name == file || mapped[0] == file || mapped[1] == file || mapped[2] == file)
#define LOCK_REFERRED(file) (lock_name == file || opened[0] == file || opened[1] == file || opened[2] == file)

inline may_be_killed()
{
  if
  :: true
  :: kills < KILLS -> goto killed
  fi
}

inline give_back()
{
  atomic {
    if
    :: opened[me] != NONE && lock_of[opened[me]] == me -> lock_of[opened[me]] = NONE
    :: else
    fi;
    opened[me] = NONE
  }
}

/* Of the lock's file: opened, or made if `create` holds. */
inline open_lock(create)
{
  atomic {
    if
    :: lock_name == NONE && (create) -> /* O_CREAT | O_EXCL */
      fresh = 0;
      do
      :: LOCK_REFERRED(fresh) -> fresh++
      :: else -> break
      od;
      lock_name = fresh; lock_of[fresh] = NONE; fresh = 0
    :: else
    fi;
    opened[me] = lock_name
  }
}

inline wait_for_lock()
{
  atomic { lock_of[opened[me]] == NONE -> lock_of[opened[me]] = me }
}

inline remove_registry()
{
  atomic {
    assert(name == NONE || !LIVING(name));
    name = NONE
  }
}

inline remove_lock()
{
  atomic {
    if
    :: lock_name == opened[me] -> lock_name = NONE
    :: else
    fi
  }
}

proctype process(byte me)
{
  byte fresh = 0;
  bit was_last = 0;

again: /* start */
  mapped[me] = NONE;
  open_lock(true);
  may_be_killed();
  wait_for_lock();
#ifndef BUG_LINKS_NOT_LOOKED_AT
  if
  :: lock_name != opened[me] -> give_back(); goto again
  :: else
  fi;
#endif
  may_be_killed();
  atomic { /* the registry's file, opened or made */
    if
    :: name == NONE ->
      do
      :: REFERRED(fresh) -> fresh++
      :: else -> break
      od;
      name = fresh; initialized[fresh] = 0; fresh = 0
    :: else
    fi;
    mapped[me] = name
  }
  may_be_killed();
  if
  :: !initialized[mapped[me]] -> initialized[mapped[me]] = 1
  :: initialized[mapped[me]] && !LIVING(mapped[me]) -> remove_registry(); give_back(); goto again
  :: else
  fi;
  may_be_killed();
  give_back();

  open_lock(name != NONE); /* begin_join */
  if
  :: opened[me] == NONE -> goto again
  :: else
  fi;
  wait_for_lock();
#ifndef BUG_LINKS_NOT_LOOKED_AT
  if
  :: lock_name != opened[me] -> give_back(); goto again
  :: else
  fi;
#endif
#ifndef BUG_INODE_NOT_COMPARED
  if
  :: name == NONE -> remove_lock(); give_back(); goto again
  :: name != NONE && name != mapped[me] -> give_back(); goto again
  :: else
  fi;
#endif
  may_be_killed();
  assert(initialized[mapped[me]]);
  member_of[me] = mapped[me];
  assert(name == member_of[me]);
  give_back();

  may_be_killed(); /* builds what it has */
  if
  :: goto leave_it /* cannot */
  :: true
  fi;

  open_lock(true); /* finish_join */
  wait_for_lock();
  assert(lock_name == opened[me] && name == member_of[me]);
  may_be_killed();
  live[me] = 1;
  give_back();
  may_be_killed();

leave_it: /* remove_process */
  open_lock(true);
#ifdef BUG_COUNTED_BEFORE_THE_LOCK
  was_last = !(me != 0 && IN(0, name)) && !(me != 1 && IN(1, name)) && !(me != 2 && IN(2, name));
#endif
  wait_for_lock();
  assert(lock_name == opened[me] && name == member_of[me]);
  may_be_killed();
#ifdef BUG_FAILED_JOIN_LEAVES_ITS_RECORD
  if
  :: live[me] -> member_of[me] = NONE
  :: else
  fi;
#else
  member_of[me] = NONE;
#endif
#ifndef BUG_COUNTED_BEFORE_THE_LOCK
  was_last = !COUNTED(name);
#endif
  may_be_killed();
#ifdef BUG_REMOVED_AFTER_THE_LOCK
  give_back();
#endif
  if
#ifdef BUG_LAST_REMOVES_NOTHING
  :: false
#else
  :: was_last ->
#ifdef BUG_LOCK_REMOVED_FIRST
    remove_lock();
    may_be_killed();
    remove_registry()
#else
    remove_registry();
    may_be_killed();
    remove_lock()
#endif
#endif
  :: else
  fi;
  atomic {
    /* killed ones that others took for living were cleaned up by then, or will be by the next */
    assert(!was_last || (name != mapped[me] && lock_name != opened[me]));
    was_last = 0
  }
  give_back();
  goto ended;
killed:
  atomic { kills++; dead[me] = 1; was_last = 0; give_back() }
ended:
  atomic {
    mapped[me] = NONE; live[me] = 0;
    assert(dead[me] || member_of[me] == NONE)
  }
}

init
{
  atomic {
    byte i;
    do
    :: i < FILES -> lock_of[i] = NONE; i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < PROCESSES -> opened[i] = NONE; mapped[i] = NONE; member_of[i] = NONE; run process(i); i++
    :: else -> break
    od
  }
}
