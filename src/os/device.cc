// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/device.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace agnocast::internal::os {

bool device_exists(const char* path)
{
  return ::access(path, F_OK) == 0;
}

Descriptor open_device(const char* path, int flags)
{
  const StandardPlaces taken;
  int fd = -1;
  do {
    fd = ::open(path, flags | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(above_standard(fd));
}

bool command(int device, unsigned long request, void* argument)
{
  int status = 0;
  do {
    status = ::ioctl(device, request, argument);
  } while (status < 0 && errno == EINTR);
  return status == 0;
}

}  // namespace agnocast::internal::os
