#!/bin/sh
# glexec_wrap.sh [COMMAND [ARGUMENT...]]: runs a command through glexec with the caller's environment, wrapped and unwrapped
# by the programs beside this one. Without a command it is glexec without a command.
set -eu

here=$(dirname -- "$(readlink -f -- "$0")")
glexec=$here/glexec
[ -x "$glexec" ] || glexec=$(command -v glexec) || { echo "glexec_wrap.sh: no glexec beside it or in PATH" >&2; exit 1; }
[ $# -gt 0 ] || exec "$glexec"

# What is left out is of no interest here; why nothing can be wrapped is.
GLEXEC_ENV=$("$here/glexec_wrapenv" 2> /dev/null) || exec "$here/glexec_wrapenv" > /dev/null
export GLEXEC_ENV
exec "$glexec" "$here/glexec_unwrapenv" -- "$@"
