#!/bin/sh
# Read it before you run it. For each step it shows what it fixes, what it does and to what, and how that is undone.
# Then it asks; what you do not say yes to is not run. It stops at the first command that fails.
set -u

if ! [ -t 0 ]; then
  echo 'This plan asks before each step: run it in a terminal.' >&2
  exit 2
fi

# What a step is.
step() { printf '\n%s\n' "$1"; }
say() { printf '  %-9s %s\n' "$1" "$2"; }

quit() {
  echo 'Stopped: nothing after this was run.'
  exit 1
}

# Yes runs the step, skip leaves it out, quit ends the plan.
ask() {
  while :; do
    printf '[y]es, [s]kip, [q]uit? '
    read -r answer || quit
    case $answer in
      y | yes) return 0 ;;
      s | skip)
        echo 'Skipped.'
        return 1
        ;;
      q | quit) quit ;;
    esac
  done
}

# The name of what is deleted is typed.
confirm() {
  printf 'This deletes %s. Type its name to go on: ' "$1"
  read -r answer || quit
  if [ "$answer" = "$1" ]; then return 0; fi
  echo 'That is not its name: skipped.'
  return 1
}

# What must pass before a step that rests on it, whatever a policy accepts.
first() {
  echo 'First, the checks that must pass:'
  if "$@"; then return 0; fi
  echo 'They do not pass: skipped.'
  return 1
}

run() {
  "$@" || {
    printf 'It failed with exit code %s. ' "$?"
    quit
  }
}

# Whether the step worked; what was changed may take minutes to propagate.
verify() {
  while :; do
    if "$@"; then
      echo 'Verified.'
      return 0
    fi
    printf 'Not verified. [r]etry, [g]o on, [q]uit? '
    read -r answer || quit
    case $answer in
      g | go) return 0 ;;
      q | quit) quit ;;
    esac
  done
}

