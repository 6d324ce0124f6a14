// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Copyright the Agnocast C++ authors. */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/ipc_namespace.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/user_namespace.h>
#include <linux/vmalloc.h>

#include "domain.h"
#include "ledger/ledger.h"

static ulong window_base = 0x200000000000;
module_param(window_base, ulong, 0444);
MODULE_PARM_DESC(window_base,
                 "Where shared memory lies in every process, if none asks for another place");
static ulong window_size = 1UL << 44;
module_param(window_size, ulong, 0444);
MODULE_PARM_DESC(window_size, "Bytes of that");
static ulong slot_size = 1UL << 34;
module_param(slot_size, ulong, 0444);
MODULE_PARM_DESC(slot_size, "Bytes of it for each process");
static uint max_domains = 64;
module_param(max_domains, uint, 0644);
MODULE_PARM_DESC(max_domains, "How many domains there may be, in all ipc namespaces; 2 MB each");
static uint max_processes = AGNOCAST_PROCESS_CAPACITY;
module_param(max_processes, uint, 0644);
MODULE_PARM_DESC(max_processes, "In a domain, at most " __stringify(1024));
static uint max_topics = AGNOCAST_TOPIC_CAPACITY;
module_param(max_topics, uint, 0644);
MODULE_PARM_DESC(max_topics, "In a domain, at most " __stringify(1024));
static uint max_endpoints = AGNOCAST_ENDPOINT_CAPACITY;
module_param(max_endpoints, uint, 0644);
MODULE_PARM_DESC(max_endpoints,
                 "Publishers and subscriptions in a domain, at most " __stringify(4096));

static uint departure_ms = 200;
module_param(departure_ms, uint, 0644);
MODULE_PARM_DESC(
  departure_ms,
  "How long a process that ended stays registered, so that its last messages are found");

/* Caches of their own tell, when they are destroyed, of any object that is left. */
static struct kmem_cache* domain_cache;
static struct kmem_cache* member_cache;

static DEFINE_MUTEX(domains_lock);
static LIST_HEAD(domains);
static uint domain_count;
/* No id is handed out twice while the module is loaded, nor likely ever. */
static u64 next_first_id;

/* Readers map the pages and do not lock: each word is stored whole, and after what came before. */
static int store(void* context, u64 offset, const void* source, u64 bytes)
{
  struct agnocast_domain* domain = context;
  void* target = (u8*)domain->pages + offset;

  if (WARN_ON_ONCE(offset > sizeof(*domain->pages) || bytes > sizeof(*domain->pages) - offset))
    return -EFAULT;
  smp_wmb(); /* pairs with the readers' loads of state words, marks and generations */
  if (bytes == sizeof(u64))
    WRITE_ONCE(*(u64*)target, *(const u64*)source);
  else if (bytes == sizeof(u32))
    WRITE_ONCE(*(u32*)target, *(const u32*)source);
  else
    memcpy(target, source, bytes);
  return 0;
}

static struct agnocast_ledger ledger_of(struct agnocast_domain* domain)
{
  return (struct agnocast_ledger){
    .pages = (const u8*)domain->pages, .store = store, .context = domain};
}

static int error_of(enum agnocast_ledger_status status)
{
  smp_mb(); /* the fence that follows each change of a registry: see registry_layout.h */
  switch (status) {
    case AGNOCAST_LEDGER_OK:
      return 0;
    case AGNOCAST_LEDGER_NOT_FOUND:
      return -ENOENT;
    case AGNOCAST_LEDGER_TYPE_MISMATCH:
      return -EPROTOTYPE;
    case AGNOCAST_LEDGER_NO_PROCESS_SLOT:
      return -EUSERS;
    case AGNOCAST_LEDGER_NO_TOPIC_SLOT:
      return -EXFULL;
    case AGNOCAST_LEDGER_NO_ENDPOINT_SLOT:
      return -ENOSPC;
    case AGNOCAST_LEDGER_BAD_ARGUMENT:
      return -EINVAL;
    default:
      return -EIO;
  }
}

static bool is_admitted(const struct agnocast_domain* domain)
{
  const kuid_t user = current_euid();

  return uid_eq(user, domain->owner) || uid_eq(user, GLOBAL_ROOT_UID) ||
         domain->access == AGNOCAST_ACCESS_ALL ||
         (domain->access == AGNOCAST_ACCESS_GROUP && in_egroup_p(domain->group));
}

static struct agnocast_domain* find_domain(u32 number)
{
  const unsigned int ipc_namespace = current->nsproxy->ipc_ns->ns.inum;
  struct agnocast_domain* domain;

  lockdep_assert_held(&domains_lock);
  list_for_each_entry(domain, &domains, node)
  {
    if (domain->number == number && domain->ipc_namespace == ipc_namespace) return domain;
  }
  return NULL;
}

static struct agnocast_member* find_member(struct agnocast_domain* domain)
{
  struct agnocast_member* member;

  lockdep_assert_held(&domains_lock);
  list_for_each_entry(member, &domain->members, node)
  {
    if (member->mm == current->mm && !READ_ONCE(member->has_left)) return member;
  }
  return NULL;
}

static void free_domain(struct kref* ref)
{
  struct agnocast_domain* domain = container_of(ref, struct agnocast_domain, ref);

  vfree(domain->pages);
  kmem_cache_free(domain_cache, domain);
}

void agnocast_put_domain(struct agnocast_domain* domain)
{
  kref_put(&domain->ref, free_domain);
}

static int init_pages(struct agnocast_domain* domain, const struct agnocast_enter_args* args)
{
  struct agnocast_ledger ledger = ledger_of(domain);
  const struct agnocast_ledger_setup setup = {
    .window_base = args->window_bytes ? args->window_base : window_base,
    .window_bytes = args->window_bytes ? args->window_bytes : window_size,
    .slot_bytes = args->window_bytes ? args->slot_bytes : slot_size,
    .first_id = max_t(u64, ktime_get_ns(), next_first_id),
    .domain = args->domain,
  };
  enum agnocast_ledger_status status = agnocast_ledger_init(&ledger, &setup);

  if (status == AGNOCAST_LEDGER_OK) status = agnocast_ledger_check(&ledger);
  return status == AGNOCAST_LEDGER_OK ? 0 : -EINVAL;
}

static struct agnocast_domain* make_domain(const struct agnocast_enter_args* args)
{
  struct agnocast_domain* domain;
  const kgid_t group = make_kgid(current_user_ns(), args->gid);
  int error;

  lockdep_assert_held(&domains_lock);
  if (args->access > AGNOCAST_ACCESS_ALL) return ERR_PTR(-EINVAL);
  if (args->access == AGNOCAST_ACCESS_GROUP && (!gid_valid(group) || !in_egroup_p(group)))
    return ERR_PTR(-EPERM);
  if (domain_count >= max_domains) return ERR_PTR(-EUSERS);
  domain = kmem_cache_zalloc(domain_cache, GFP_KERNEL);
  if (!domain) return ERR_PTR(-ENOMEM);
  domain->pages = vmalloc_user(sizeof(*domain->pages));
  if (!domain->pages) {
    kmem_cache_free(domain_cache, domain);
    return ERR_PTR(-ENOMEM);
  }
  kref_init(&domain->ref);
  mutex_init(&domain->lock);
  INIT_LIST_HEAD(&domain->members);
  init_waitqueue_head(&domain->turn_given);
  domain->ipc_namespace = current->nsproxy->ipc_ns->ns.inum;
  domain->number = args->domain;
  domain->owner = current_euid();
  domain->group = group;
  domain->access = args->access;
  error = init_pages(domain, args);
  if (error) {
    agnocast_put_domain(domain);
    return ERR_PTR(error);
  }
  list_add(&domain->node, &domains);
  domain_count++;
  return domain;
}

/* Nobody lives in it: the next to enter makes another one. */
static void retire_domain(struct agnocast_domain* domain)
{
  lockdep_assert_held(&domains_lock);
  if (!list_empty(&domain->members)) return;
  next_first_id = max(next_first_id, domain->pages->header.next_id);
  list_del_init(&domain->node);
  domain_count--;
  agnocast_put_domain(domain); /* the list's reference */
}

static void free_member(struct kref* ref)
{
  struct agnocast_member* member = container_of(ref, struct agnocast_member, ref);

  agnocast_put_domain(member->domain);
  mmdrop(member->mm);
  kmem_cache_free(member_cache, member);
}

static void remove_departed(struct work_struct* work);

static struct agnocast_member* make_member(struct agnocast_domain* domain)
{
  struct agnocast_member* member = kmem_cache_zalloc(member_cache, GFP_KERNEL);

  if (!member) return NULL;
  kref_init(&member->ref);
  INIT_DELAYED_WORK(&member->removal, remove_departed);
  kref_get(&domain->ref);
  member->domain = domain;
  member->mm = current->mm;
  mmgrab(member->mm);
  list_add(&member->node, &domain->members);
  return member;
}

static void tell_settings(const struct agnocast_domain* domain, struct agnocast_enter_args* args)
{
  const struct agnocast_registry_header* header = &domain->pages->header;

  args->access = domain->access;
  args->uid = from_kuid_munged(current_user_ns(), domain->owner);
  args->gid = from_kgid_munged(current_user_ns(), domain->group);
  args->window_base = header->window_base;
  args->window_bytes = header->window_bytes;
  args->slot_bytes = header->slot_bytes;
}

struct agnocast_member* agnocast_enter(struct agnocast_enter_args* args)
{
  struct agnocast_domain* domain;
  struct agnocast_member* member;

  if (args->reserved) return ERR_PTR(-EINVAL);
  mutex_lock(&domains_lock);
  domain = find_domain(args->domain);
  if (!domain)
    domain = make_domain(args);
  else if (!is_admitted(domain))
    domain = ERR_PTR(-EACCES);
  if (IS_ERR(domain)) {
    mutex_unlock(&domains_lock);
    return ERR_CAST(domain);
  }
  member = find_member(domain);
  if (member)
    kref_get(&member->ref);
  else
    member = make_member(domain);
  if (member) {
    mutex_lock(&domain->lock);
    member->files++;
    mutex_unlock(&domain->lock);
    tell_settings(domain, args);
  } else {
    retire_domain(domain);
  }
  mutex_unlock(&domains_lock);
  return member ? member : ERR_PTR(-ENOMEM);
}

static int give_turn(struct agnocast_member* member)
{
  struct agnocast_domain* domain = member->domain;

  if (cmpxchg(&domain->has_turn, member, NULL) != member) return -ENOENT;
  wake_up_interruptible(&domain->turn_given);
  return 0;
}

static void remove_member(struct agnocast_member* member)
{
  struct agnocast_domain* domain = member->domain;
  struct agnocast_ledger ledger = ledger_of(domain);

  lockdep_assert_held(&domains_lock);
  lockdep_assert_held(&domain->lock);
  if (member->has_process)
    error_of(agnocast_ledger_remove_process(&ledger, member->slot, member->process_id));
  list_del_init(&member->node);
  retire_domain(domain);
}

/* The dead take no messages. True if it publishes. */
static bool remove_subscriptions(struct agnocast_member* member)
{
  struct agnocast_ledger ledger = ledger_of(member->domain);
  const struct agnocast_registry* pages = member->domain->pages;
  bool publishes = false;
  u32 i;

  for (i = 0; i < pages->header.endpoints_end; i++) {
    const struct agnocast_endpoint_record* record = &pages->endpoints[i];

    if (record->state != AGNOCAST_LIVE || record->process_id != member->process_id) continue;
    if (record->kind == AGNOCAST_PUBLISHER)
      publishes = true;
    else
      error_of(agnocast_ledger_remove_endpoint(&ledger, i, record->id));
  }
  return publishes;
}

static void leave(struct agnocast_member* member)
{
  struct agnocast_domain* domain = member->domain;

  lockdep_assert_held(&domains_lock);
  lockdep_assert_held(&domain->lock);
  if (member->has_left) return;
  WRITE_ONCE(member->has_left, true); /* with domains_lock held, under which others look */
  give_turn(member);
  if (member->has_process && remove_subscriptions(member)) {
    kref_get(&member->ref); /* remove_departed() drops it */
    schedule_delayed_work(&member->removal, msecs_to_jiffies(departure_ms));
  } else {
    remove_member(member);
  }
}

static void lock_both(struct agnocast_domain* domain)
{
  mutex_lock(&domains_lock);
  mutex_lock(&domain->lock);
}

static void unlock_both(struct agnocast_domain* domain)
{
  mutex_unlock(&domain->lock);
  mutex_unlock(&domains_lock);
}

static void remove_departed(struct work_struct* work)
{
  struct agnocast_member* member =
    container_of(to_delayed_work(work), struct agnocast_member, removal);

  lock_both(member->domain);
  remove_member(member);
  unlock_both(member->domain);
  kref_put(&member->ref, free_member);
}

int agnocast_set_up_domains(void)
{
  domain_cache = KMEM_CACHE(agnocast_domain, SLAB_ACCOUNT);
  if (!domain_cache) return -ENOMEM;
  member_cache = KMEM_CACHE(agnocast_member, SLAB_ACCOUNT);
  if (member_cache) return 0;
  kmem_cache_destroy(domain_cache);
  return -ENOMEM;
}

void agnocast_clear_domains(void)
{
  struct agnocast_domain* domain;
  struct agnocast_member* member;

  for (;;) {
    mutex_lock(&domains_lock);
    domain = list_first_entry_or_null(&domains, struct agnocast_domain, node);
    if (!domain) break;
    member = list_first_entry(&domain->members, struct agnocast_member, node);
    kref_get(&member->ref);
    mutex_unlock(&domains_lock);
    flush_delayed_work(&member->removal);
    kref_put(&member->ref, free_member);
  }
  mutex_unlock(&domains_lock);
  kmem_cache_destroy(member_cache);
  kmem_cache_destroy(domain_cache);
}

void agnocast_close_member(struct agnocast_member* member)
{
  lock_both(member->domain);
  if (--member->files == 0 && member->mappings == 0) leave(member);
  unlock_both(member->domain);
  kref_put(&member->ref, free_member);
}

int agnocast_map_member(struct agnocast_member* member, struct mm_struct* mm)
{
  int error = 0;

  mutex_lock(&member->domain->lock);
  if (member->has_left)
    error = -ESTALE;
  else if (mm == member->mm)
    member->mappings++;
  mutex_unlock(&member->domain->lock);
  if (!error) kref_get(&member->ref);
  return error;
}

void agnocast_copy_mapping(struct agnocast_member* member, struct mm_struct* mm)
{
  kref_get(&member->ref);
  if (mm != member->mm) return;
  mutex_lock(&member->domain->lock);
  member->mappings++;
  mutex_unlock(&member->domain->lock);
}

void agnocast_unmap_member(struct agnocast_member* member, struct mm_struct* mm)
{
  if (mm == member->mm) {
    lock_both(member->domain);
    if (member->mappings && --member->mappings == 0) leave(member);
    unlock_both(member->domain);
  }
  kref_put(&member->ref, free_member);
}

struct agnocast_domain* agnocast_look(u32 number)
{
  struct agnocast_domain* domain;

  mutex_lock(&domains_lock);
  domain = find_domain(number);
  if (!domain)
    domain = ERR_PTR(-ENOENT);
  else if (!is_admitted(domain))
    domain = ERR_PTR(-EACCES);
  else
    kref_get(&domain->ref);
  mutex_unlock(&domains_lock);
  return domain;
}

/* The caller as a member that has mapped the registry, with domain->lock held; or an error. */
static struct agnocast_member* lock_caller(u32 number)
{
  struct agnocast_domain* domain;
  struct agnocast_member* member = NULL;

  mutex_lock(&domains_lock);
  domain = find_domain(number);
  if (domain) member = find_member(domain);
  if (member) kref_get(&member->ref);
  mutex_unlock(&domains_lock);
  if (!member) return ERR_PTR(-ENOENT);
  mutex_lock(&member->domain->lock);
  if (!member->has_left && member->mappings != 0) return member;
  mutex_unlock(&member->domain->lock);
  kref_put(&member->ref, free_member);
  return ERR_PTR(-ENOENT);
}

static void unlock_caller(struct agnocast_member* member)
{
  mutex_unlock(&member->domain->lock);
  kref_put(&member->ref, free_member);
}

/* With a reference. */
static struct agnocast_member* get_caller(u32 number)
{
  struct agnocast_member* member = lock_caller(number);

  if (IS_ERR(member)) return member;
  kref_get(&member->ref);
  unlock_caller(member);
  return member;
}

static bool get_turn(struct agnocast_member* member)
{
  if (cmpxchg(&member->domain->has_turn, NULL, member)) return false;
  WRITE_ONCE(member->domain->turns, member->domain->turns + 1);
  return true;
}

int agnocast_take_turn(u32 number)
{
  struct agnocast_member* member = get_caller(number);
  struct agnocast_domain* domain;
  unsigned long turn;
  long left;

  if (IS_ERR(member)) return PTR_ERR(member);
  domain = member->domain;
  do {
    turn = READ_ONCE(domain->turns);
    left = wait_event_interruptible_timeout(domain->turn_given, get_turn(member), 10 * HZ);
  } while (left == 0 && turn != READ_ONCE(domain->turns));
  if (left > 0 && READ_ONCE(member->has_left))
    give_turn(member); /* another thread unmapped the registry meanwhile */
  kref_put(&member->ref, free_member);
  return left > 0 ? 0 : left == 0 ? -ETIMEDOUT : left;
}

int agnocast_give_turn(u32 number)
{
  struct agnocast_member* member = get_caller(number);
  int error;

  if (IS_ERR(member)) return PTR_ERR(member);
  error = give_turn(member);
  kref_put(&member->ref, free_member);
  return error;
}

static bool is_taken_slot(const struct agnocast_registry* pages, u32 slot)
{
  return slot < pages->header.processes_end && (pages->processes[slot].state == AGNOCAST_LIVE ||
                                                pages->processes[slot].state == AGNOCAST_JOINING);
}

static int add_process(struct agnocast_member* member, struct agnocast_process_args* args)
{
  struct agnocast_ledger ledger = ledger_of(member->domain);
  struct agnocast_ledger_process process = {
    .pid = task_tgid_vnr(current),
    .uid = from_kuid_munged(current_user_ns(), current_euid()),
    .pid_namespace = task_active_pid_ns(current)->ns.inum,
  };
  struct agnocast_ledger_added added = {};
  int error;

  if (member->has_process) return -EALREADY;
  if (is_taken_slot(member->domain->pages, args->slot)) return -EBUSY;
  if (agnocast_ledger_process_count(&ledger) >= max_processes) return -EUSERS;
  memcpy(process.name, args->name, sizeof(process.name));
  error = error_of(agnocast_ledger_add_process(&ledger, args->slot, &process, &added));
  if (error) return error;
  member->has_process = true;
  member->slot = added.index;
  member->process_id = added.id;
  args->id = added.id;
  return 0;
}

int agnocast_add_process(struct agnocast_process_args* args)
{
  struct agnocast_member* member = lock_caller(args->domain);
  int error;

  if (IS_ERR(member)) return PTR_ERR(member);
  error = add_process(member, args);
  unlock_caller(member);
  return error;
}

int agnocast_finish_process(u32 number)
{
  struct agnocast_member* member = lock_caller(number);
  struct agnocast_ledger ledger;
  int error = -ENOENT;

  if (IS_ERR(member)) return PTR_ERR(member);
  ledger = ledger_of(member->domain);
  if (member->has_process)
    error = error_of(agnocast_ledger_finish_process(&ledger, member->slot, member->process_id));
  unlock_caller(member);
  return error;
}

int agnocast_remove_process(u32 number)
{
  struct agnocast_member* member = lock_caller(number);
  struct agnocast_ledger ledger;
  int error = -ENOENT;

  if (IS_ERR(member)) return PTR_ERR(member);
  ledger = ledger_of(member->domain);
  if (member->has_process) {
    error = error_of(agnocast_ledger_remove_process(&ledger, member->slot, member->process_id));
    member->has_process = false;
  }
  unlock_caller(member);
  return error;
}

int agnocast_forget_process(const struct agnocast_ticket_args* args, u32 unused)
{
  struct agnocast_member* caller = get_caller(args->domain);
  struct agnocast_member* member;
  struct agnocast_member* found = NULL;

  if (IS_ERR(caller)) return PTR_ERR(caller);
  mutex_lock(&domains_lock);
  list_for_each_entry(member, &caller->domain->members, node)
  {
    if (READ_ONCE(member->has_left) && member->slot == args->index &&
        member->process_id == args->id)
      found = member;
  }
  if (found) kref_get(&found->ref);
  mutex_unlock(&domains_lock);
  if (found) {
    flush_delayed_work(&found->removal); /* now, and waits for it */
    kref_put(&found->ref, free_member);
  }
  kref_put(&caller->ref, free_member);
  return found ? 0 : -ENOENT;
}

static bool topics_are_full(const struct agnocast_registry* pages, const char* name)
{
  u32 count = 0;
  u32 i;

  for (i = 0; i < pages->header.topics_end; i++) {
    if (pages->topics[i].state != AGNOCAST_LIVE) continue;
    if (strncmp(pages->topics[i].name, name, AGNOCAST_NAME_BYTES) == 0) return false;
    count++;
  }
  return count >= max_topics;
}

static bool endpoints_are_full(const struct agnocast_registry* pages)
{
  u32 count = 0;
  u32 i;

  for (i = 0; i < pages->header.endpoints_end; i++)
    count += pages->endpoints[i].state == AGNOCAST_LIVE;
  return count >= max_endpoints;
}

static int add_endpoint(struct agnocast_member* member, struct agnocast_endpoint_args* args,
                        struct agnocast_ledger_endpoint* endpoint)
{
  struct agnocast_ledger ledger = ledger_of(member->domain);
  struct agnocast_ledger_added added = {};
  int error;

  if (!member->has_process) return -ENOENT;
  if (topics_are_full(member->domain->pages, args->topic_name)) return -EXFULL;
  if (endpoints_are_full(member->domain->pages)) return -ENOSPC;
  endpoint->process = member->slot;
  endpoint->process_id = member->process_id;
  error = error_of(agnocast_ledger_add_endpoint(&ledger, endpoint, &added));
  args->index = added.index;
  args->topic = added.topic;
  args->id = added.id;
  return error;
}

int agnocast_add_endpoint(struct agnocast_endpoint_args* args, u32 kind)
{
  struct agnocast_member* member;
  struct agnocast_ledger_endpoint* endpoint;
  int error;

  /* Too large for the stack. */
  endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL);
  if (!endpoint) return -ENOMEM;
  endpoint->kind = kind;
  endpoint->control_offset = args->control_offset;
  endpoint->depth = args->depth;
  endpoint->history = args->history;
  endpoint->reliability = args->reliability;
  endpoint->durability = args->durability;
  endpoint->type_hash = args->type_hash;
  endpoint->type_bytes = args->type_bytes;
  endpoint->type_alignment = args->type_alignment;
  memcpy(endpoint->topic, args->topic_name, sizeof(endpoint->topic));
  memcpy(endpoint->node, args->node, sizeof(endpoint->node));
  memcpy(endpoint->type_name, args->type_name, sizeof(endpoint->type_name));
  member = lock_caller(args->domain);
  if (IS_ERR(member)) {
    error = PTR_ERR(member);
  } else {
    error = add_endpoint(member, args, endpoint);
    unlock_caller(member);
  }
  kfree(endpoint);
  return error;
}

static bool is_own(const struct agnocast_member* member, const struct agnocast_ticket_args* args,
                   u32 kind)
{
  const struct agnocast_endpoint_record* record;

  if (!member->has_process || args->index >= AGNOCAST_ENDPOINT_CAPACITY) return false;
  record = &member->domain->pages->endpoints[args->index];
  return record->state == AGNOCAST_LIVE && record->id == args->id && record->kind == kind &&
         record->process_id == member->process_id;
}

static int change_endpoint(const struct agnocast_ticket_args* args, u32 kind,
                           enum agnocast_ledger_status (*change)(struct agnocast_ledger*, u32, u64))
{
  struct agnocast_member* member = lock_caller(args->domain);
  struct agnocast_ledger ledger;
  int error = -ENOENT;

  if (IS_ERR(member)) return PTR_ERR(member);
  ledger = ledger_of(member->domain);
  if (is_own(member, args, kind)) error = error_of(change(&ledger, args->index, args->id));
  unlock_caller(member);
  return error;
}

int agnocast_close_endpoint(const struct agnocast_ticket_args* args, u32 kind)
{
  return change_endpoint(args, kind, agnocast_ledger_close_endpoint);
}

int agnocast_remove_endpoint(const struct agnocast_ticket_args* args, u32 kind)
{
  return change_endpoint(args, kind, agnocast_ledger_remove_endpoint);
}
