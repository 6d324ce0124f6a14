// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include "registry/failures.hpp"
#include "registry/user_registry.hpp"

namespace agnocast::internal {

Failure UserRegistry::cannot_open(int error) const
{
  std::string text = "the registry /dev/shm" + name_ + " cannot be opened: ";
  switch (error) {
    case ENOENT:
      text += inode_ == 0 ? "there is no /dev/shm; mount one with 'mount -t tmpfs tmpfs /dev/shm'"
                          : "it was removed while processes use it; restart this process";
      break;
    case EACCES:
    case EPERM:
      text += "domain " + std::to_string(settings_.domain) +
              " belongs to another user; start its first process with "
              "AGNOCAST_ACCESS=group:<name> or AGNOCAST_ACCESS=all, or use another "
              "AGNOCAST_DOMAIN_ID";
      break;
    case ELOOP:
    case EISDIR:
    case ENOTSUP:
      text += "something else has its name, which is no regular file; remove it";
      break;
    case EROFS:
      text += "/dev/shm is read-only; mount it writable with 'mount -o remount,rw /dev/shm'";
      break;
    case EMFILE:
    case ENFILE:
      text += "too many open files; raise the limit with 'ulimit -n <number>'";
      break;
    case EFBIG:
      text += "it has " + std::to_string(sizeof(agnocast_registry)) +
              " bytes, more than files may have here; raise the limit with 'ulimit -f unlimited'";
      break;
    case EAGAIN:
      text +=
        "it is more locked memory than this process may have; raise the limit with 'ulimit -l'";
      break;
    case ENOMEM:
      text += "no memory to map it; raise the limit with 'ulimit -v'";
      break;
    case ENOSPC:
      text += "/dev/shm is full, and it needs " + std::to_string(sizeof(agnocast_registry) / 1000) +
              " kB there; enlarge it with 'mount -o remount,size=<size> /dev/shm'";
      break;
    default:
      text += os::error_text(error);
  }
  return {FailureKind::registry, std::move(text)};
}

Failure UserRegistry::kept_locked(pid_t holder) const
{
  return {FailureKind::registry,
          "the registry /dev/shm" + name_ + " cannot be locked: " +
            (holder > 0 ? "process " + std::to_string(holder) : std::string("another process")) +
            " keeps its lock for more than 10 s; continue it if it is stopped, or end it"};
}

Failure UserRegistry::damaged() const
{
  return {FailureKind::registry,
          "the registry /dev/shm" + name_ +
            " is damaged: something shortened or overwrote it; end the processes of this domain "
            "and remove the file"};
}

Failure UserRegistry::explain(agnocast_ledger_status status, const agnocast_ledger& ledger) const
{
  const std::string object = "the registry /dev/shm" + name_;
  const auto& header = pages_.raw()->header;
  switch (status) {
    case AGNOCAST_LEDGER_FOREIGN:
      return {FailureKind::registry,
              object +
                " is not an Agnocast registry: something else wrote it; remove "
                "the file when no process of this domain runs"};
    case AGNOCAST_LEDGER_VERSION:
      return {FailureKind::registry,
              object + " has layout version " + std::to_string(header.abi_version) + " and " +
                std::to_string(header.total_bytes) + " bytes, this library needs version " +
                std::to_string(AGNOCAST_ABI_VERSION) + " and " +
                std::to_string(sizeof(agnocast_registry)) +
                ": end the processes of the other version and remove the file, or use another "
                "AGNOCAST_DOMAIN_ID"};
    case AGNOCAST_LEDGER_CORRUPT:
      return damaged();
    case AGNOCAST_LEDGER_NO_PROCESS_SLOT:
      return no_process_slot(settings_, header.process_capacity);
    case AGNOCAST_LEDGER_NO_TOPIC_SLOT:
      return no_topic_slot(settings_);
    case AGNOCAST_LEDGER_NO_ENDPOINT_SLOT:
      return no_endpoint_slot(settings_);
    case AGNOCAST_LEDGER_STORE_FAILED:
      return cannot_open(ledger.store_error);
    default:
      return {FailureKind::registry,
              object + " refused a change (status " + std::to_string(status) +
                "): this process is not in it any more; restart the process"};
  }
}

}  // namespace agnocast::internal
