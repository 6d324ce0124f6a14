// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/agnocast: the registry of Agnocast in pages that only the kernel writes.
 *
 * What the ioctls do stands in abi/kernel_interface.h, who is in a domain in domain.h. A file is
 * nothing at first; ENTER makes it one of a member, LOOK one of somebody who only reads.
 *
 * Copyright the Agnocast C++ authors.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "domain.h"

struct agnocast_file
{
  struct mutex lock;                 /* taken before those of domain.h */
  struct agnocast_member* member;    /* set once */
  struct agnocast_domain* looked_at; /* set once */
};

static struct kmem_cache* file_cache;

static void open_mapping(struct vm_area_struct* vma)
{
  agnocast_copy_mapping(vma->vm_private_data, vma->vm_mm);
}

static void close_mapping(struct vm_area_struct* vma)
{
  agnocast_unmap_member(vma->vm_private_data, vma->vm_mm);
}

/* A part of the registry serves nobody. */
static int refuse_to_split(struct vm_area_struct* vma, unsigned long address)
{
  return -EINVAL;
}

static const struct vm_operations_struct mapping_operations = {
  .open = open_mapping,
  .close = close_mapping,
  .may_split = refuse_to_split,
};

static void forbid_writing(struct vm_area_struct* vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
  vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
#else
  vma->vm_flags &= ~(VM_MAYWRITE | VM_MAYEXEC);
#endif
}

static int device_mmap(struct file* file, struct vm_area_struct* vma)
{
  struct agnocast_file* opened = file->private_data;
  struct agnocast_member* member = READ_ONCE(opened->member);
  int error;

  if (!member) return -ENOTCONN;
  if (vma->vm_flags & (VM_WRITE | VM_EXEC)) return -EPERM;
  if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff != 0 ||
      vma->vm_end - vma->vm_start != PAGE_ALIGN(sizeof(struct agnocast_registry)))
    return -EINVAL;
  forbid_writing(vma);
  error = agnocast_map_member(member, vma->vm_mm);
  if (error) return error;
  error = remap_vmalloc_range(vma, member->domain->pages, 0);
  if (error) {
    agnocast_unmap_member(member, vma->vm_mm);
    return error;
  }
  vma->vm_private_data = member;
  vma->vm_ops = &mapping_operations;
  return 0;
}

static ssize_t device_read(struct file* file, char __user* target, size_t bytes, loff_t* position)
{
  struct agnocast_file* opened = file->private_data;
  struct agnocast_domain* domain = READ_ONCE(opened->looked_at);

  if (!domain) return -ENOTCONN;
  return simple_read_from_buffer(target, bytes, position, domain->pages, sizeof(*domain->pages));
}

static long get_version(void __user* target)
{
  const struct agnocast_version_args args = {
    .interface_version = AGNOCAST_KERNEL_INTERFACE_VERSION,
    .abi_version = AGNOCAST_ABI_VERSION,
    .registry_bytes = sizeof(struct agnocast_registry),
  };

  return copy_to_user(target, &args, sizeof(args)) ? -EFAULT : 0;
}

static bool is_taken(const struct agnocast_file* opened)
{
  return opened->member || opened->looked_at;
}

static long enter(struct agnocast_file* opened, void __user* source)
{
  struct agnocast_enter_args args;
  struct agnocast_member* member;
  long error = 0;

  if (copy_from_user(&args, source, sizeof(args))) return -EFAULT;
  mutex_lock(&opened->lock);
  if (is_taken(opened)) {
    error = -EBUSY;
  } else {
    member = agnocast_enter(&args);
    if (IS_ERR(member))
      error = PTR_ERR(member);
    else
      smp_store_release(&opened->member, member); /* pairs with device_mmap */
  }
  mutex_unlock(&opened->lock);
  if (!error && copy_to_user(source, &args, sizeof(args))) error = -EFAULT;
  return error;
}

static long look(struct agnocast_file* opened, void __user* source)
{
  struct agnocast_domain* domain;
  u32 number;
  long error = 0;

  if (copy_from_user(&number, source, sizeof(number))) return -EFAULT;
  mutex_lock(&opened->lock);
  if (is_taken(opened)) {
    error = -EBUSY;
  } else {
    domain = agnocast_look(number);
    if (IS_ERR(domain))
      error = PTR_ERR(domain);
    else
      smp_store_release(&opened->looked_at, domain); /* pairs with device_read */
  }
  mutex_unlock(&opened->lock);
  return error;
}

static long add_process(void __user* source)
{
  struct agnocast_process_args args;
  long error;

  if (copy_from_user(&args, source, sizeof(args))) return -EFAULT;
  error = agnocast_add_process(&args);
  if (!error && copy_to_user(source, &args, sizeof(args))) error = -EFAULT;
  return error;
}

static long command_of_domain(void __user* source, int (*command)(u32 number))
{
  u32 number;

  if (copy_from_user(&number, source, sizeof(number))) return -EFAULT;
  return command(number);
}

static long add_endpoint(void __user* source, u32 kind)
{
  struct agnocast_endpoint_args* args = memdup_user(source, sizeof(*args));
  long error;

  if (IS_ERR(args)) return PTR_ERR(args);
  error = agnocast_add_endpoint(args, kind);
  if ((!error || error == -EPROTOTYPE) && copy_to_user(source, args, sizeof(*args)))
    error = -EFAULT;
  kfree(args);
  return error;
}

static long change_endpoint(void __user* source, u32 kind,
                            int (*change)(const struct agnocast_ticket_args* args, u32 kind))
{
  struct agnocast_ticket_args args;

  if (copy_from_user(&args, source, sizeof(args))) return -EFAULT;
  return change(&args, kind);
}

static long device_ioctl(struct file* file, unsigned int command, unsigned long argument)
{
  struct agnocast_file* opened = file->private_data;
  void __user* user = (void __user*)argument;

  switch (command) {
    case AGNOCAST_GET_VERSION_CMD:
      return get_version(user);
    case AGNOCAST_ENTER_CMD:
      return enter(opened, user);
    case AGNOCAST_LOOK_CMD:
      return look(opened, user);
    case AGNOCAST_ADD_PROCESS_CMD:
      return add_process(user);
    case AGNOCAST_FINISH_PROCESS_CMD:
      return command_of_domain(user, agnocast_finish_process);
    case AGNOCAST_REMOVE_PROCESS_CMD:
      return command_of_domain(user, agnocast_remove_process);
    case AGNOCAST_FORGET_PROCESS_CMD:
      return change_endpoint(user, 0, agnocast_forget_process);
    case AGNOCAST_TAKE_TURN_CMD:
      return command_of_domain(user, agnocast_take_turn);
    case AGNOCAST_GIVE_TURN_CMD:
      return command_of_domain(user, agnocast_give_turn);
    case AGNOCAST_ADD_PUBLISHER_CMD:
      return add_endpoint(user, AGNOCAST_PUBLISHER);
    case AGNOCAST_ADD_SUBSCRIBER_CMD:
      return add_endpoint(user, AGNOCAST_SUBSCRIPTION);
    case AGNOCAST_CLOSE_SUBSCRIBER_CMD:
      return change_endpoint(user, AGNOCAST_SUBSCRIPTION, agnocast_close_endpoint);
    case AGNOCAST_REMOVE_PUBLISHER_CMD:
      return change_endpoint(user, AGNOCAST_PUBLISHER, agnocast_remove_endpoint);
    case AGNOCAST_REMOVE_SUBSCRIBER_CMD:
      return change_endpoint(user, AGNOCAST_SUBSCRIPTION, agnocast_remove_endpoint);
    default:
      return -ENOTTY;
  }
}

static int device_open(struct inode* inode, struct file* file)
{
  struct agnocast_file* opened = kmem_cache_zalloc(file_cache, GFP_KERNEL);

  if (!opened) return -ENOMEM;
  mutex_init(&opened->lock);
  file->private_data = opened;
  return 0;
}

static int device_release(struct inode* inode, struct file* file)
{
  struct agnocast_file* opened = file->private_data;

  if (opened->member) agnocast_close_member(opened->member);
  if (opened->looked_at) agnocast_put_domain(opened->looked_at);
  kmem_cache_free(file_cache, opened);
  return 0;
}

static const struct file_operations device_operations = {
  .owner = THIS_MODULE, /* so the module stays while a file is open or mapped */
  .open = device_open,
  .release = device_release,
  .read = device_read,
  .mmap = device_mmap,
  .unlocked_ioctl = device_ioctl,
  .compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
  .minor = MISC_DYNAMIC_MINOR,
  .name = "agnocast",
  .mode = 0600, /* a udev rule says who else */
  .fops = &device_operations,
};

static int __init load(void)
{
  int error = agnocast_set_up_domains();

  if (error) return error;
  file_cache = KMEM_CACHE(agnocast_file, SLAB_ACCOUNT);
  error = file_cache ? misc_register(&device) : -ENOMEM;
  if (error) {
    kmem_cache_destroy(file_cache);
    agnocast_clear_domains();
  }
  return error;
}
module_init(load);

static void __exit unload(void)
{
  misc_deregister(&device);
  agnocast_clear_domains();
  kmem_cache_destroy(file_cache);
}
module_exit(unload);

MODULE_DESCRIPTION("Registry of Agnocast: zero-copy publish/subscribe between processes");
MODULE_AUTHOR("the Agnocast C++ authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("Dual MIT/GPL");
