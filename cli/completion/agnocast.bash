# Completion of the command agnocast in bash.
# Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
_agnocast() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null))
}
complete -F _agnocast agnocast
