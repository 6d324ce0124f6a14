# Completion of the command agnocast in fish.
# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
function __agnocast_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    $words[1] complete -- $words[2..-1] (commandline --current-token) 2> /dev/null
end
complete --command agnocast --no-files --arguments '(__agnocast_complete)'
