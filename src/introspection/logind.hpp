// Whether systemd-logind removes what a user has in /dev/shm when the user's last session ends.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace agnocast::internal {

/// RemoveIPC= of logind.conf and its drop-ins below `root` ("" for this machine); true if it is set
/// nowhere, as logind takes it then.
bool logind_removes_ipc(const std::string& root);
/// Whether that concerns this process's user here: logind runs, and the user is neither root, nor a
/// system user, nor one who lingers.
bool is_subject_to_logind();

}  // namespace agnocast::internal
