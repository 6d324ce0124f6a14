/* The life of the registry's file: made by the first to join, removed by the last to leave, found
 * without a living process after the others were killed; all while others open it and wait for its lock.
 *
 * Mirrors   UserRegistry::lock, start, add_process, remove_process, is_gone (src/registry/
 *           user_registry.cc); Runtime::join_locked (src/runtime/runtime.cc). Records are one word for
 *           each process here, see registry.pml.
 * Property  All processes that have joined and live are in one file, and that file has the name. What is
 *           removed has no living process in it. A process that leaves in order as the last leaves no
 *           file behind.
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

byte name = NONE;          /* the file that the name leads to */
byte lock_of[FILES];       /* who holds its record lock */
bit initialized[FILES];
byte opened[PROCESSES];    /* by the operation under way */
byte mapped[PROCESSES];    /* the registry that the process works with */
byte member_of[PROCESSES]; /* where its record is */
bit dead[PROCESSES];
byte kills;

#define IN(process, file) (member_of[process] == file && !dead[process])
#define LIVING(file) (IN(0, file) || IN(1, file) || IN(2, file))
#define REFERRED(file) (name == file || opened[0] == file || opened[1] == file || opened[2] == file || \
                        mapped[0] == file || mapped[1] == file || mapped[2] == file)

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

inline remove_file()
{
  atomic {
    assert(name == NONE || !LIVING(name));
    name = NONE
  }
}

proctype process(byte me)
{
  byte fresh = 0;
  bit was_last = 0;

again: /* start */
  mapped[me] = NONE;
  atomic {
    if
    :: name == NONE -> /* O_CREAT | O_EXCL */
      fresh = 0;
      do
      :: REFERRED(fresh) -> fresh++
      :: else -> break
      od;
      name = fresh; initialized[fresh] = 0; lock_of[fresh] = NONE; opened[me] = fresh; fresh = 0
    :: else -> opened[me] = name
    fi
  }
  may_be_killed();
  atomic { lock_of[opened[me]] == NONE -> lock_of[opened[me]] = me }
#ifndef BUG_LINKS_NOT_LOOKED_AT
  if
  :: name != opened[me] -> give_back(); goto again
  :: else
  fi;
#endif
  may_be_killed();
  mapped[me] = opened[me];
  if
  :: !initialized[mapped[me]] -> initialized[mapped[me]] = 1
  :: initialized[mapped[me]] && !LIVING(mapped[me]) -> remove_file(); give_back(); goto again
  :: else
  fi;
  may_be_killed();
  give_back();

  atomic { /* add_process */
    if
    :: name == NONE -> goto again
    :: else -> opened[me] = name
    fi
  }
  atomic { lock_of[opened[me]] == NONE -> lock_of[opened[me]] = me }
#ifndef BUG_LINKS_NOT_LOOKED_AT
  if
  :: name != opened[me] -> give_back(); goto again
  :: else
  fi;
#endif
#ifndef BUG_INODE_NOT_COMPARED
  if
  :: opened[me] != mapped[me] -> give_back(); goto again
  :: else
  fi;
#endif
  may_be_killed();
  assert(initialized[mapped[me]]);
  member_of[me] = mapped[me];
  assert(name == member_of[me]);
  give_back();

  may_be_killed();
  opened[me] = name; /* remove_process */
  assert(opened[me] == member_of[me]);
#ifdef BUG_COUNTED_BEFORE_THE_LOCK
  was_last = !(me != 0 && IN(0, opened[me])) && !(me != 1 && IN(1, opened[me])) &&
             !(me != 2 && IN(2, opened[me]));
#endif
  atomic { lock_of[opened[me]] == NONE -> lock_of[opened[me]] = me }
  may_be_killed();
  atomic { member_of[me] = NONE }
#ifndef BUG_COUNTED_BEFORE_THE_LOCK
  was_last = !LIVING(opened[me]);
#endif
  may_be_killed();
#ifdef BUG_REMOVED_AFTER_THE_LOCK
  give_back();
#endif
  if
#ifdef BUG_LAST_REMOVES_NOTHING
  :: false
#else
  :: was_last -> remove_file()
#endif
  :: else
  fi;
  atomic {
    /* killed ones that others took for living were cleaned up by then, or will be by the next */
    assert(!was_last || name != mapped[me]);
    was_last = 0
  }
  give_back();
  goto ended;
killed:
  atomic { kills++; dead[me] = 1; was_last = 0; give_back() }
ended:
  mapped[me] = NONE
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
