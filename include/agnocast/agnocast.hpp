// All of the public interface.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agnocast/describe.hpp"
#include "agnocast/error.hpp"
#include "agnocast/executor.hpp"
#include "agnocast/generic.hpp"
#include "agnocast/introspection.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "agnocast/message_info.hpp"
#include "agnocast/message_text.hpp"
#include "agnocast/message_traits.hpp"
#include "agnocast/message_type.hpp"
#include "agnocast/node.hpp"
#include "agnocast/publisher.hpp"
#include "agnocast/qos.hpp"
#include "agnocast/shared_heap.hpp"
#include "agnocast/subscription.hpp"
#include "agnocast/type_description.hpp"
#include "agnocast/wait_set.hpp"
