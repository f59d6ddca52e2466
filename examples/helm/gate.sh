#!/bin/sh
# A gate for a Helm release: renders the chart as it would be installed, asks aksiso whether the cluster's nodes would pull its
# images, and installs it only then.
#
# usage: gate.sh RELEASE CHART [OPTION OF HELM …]
#
#   RESOURCE_GROUP, CLUSTER   the cluster
#   AKSISO_OPTIONS            other options for aksiso preflight instead of these two, such as "--from prod.json"
#   DRY_RUN=1                 installs nothing
set -eu

release=$1
chart=$2
shift 2

# Into a file first: a pipe would hide that helm failed.
manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT INT TERM
helm template "$release" "$chart" "$@" > "$manifests"

# Anything but 0 ends the script: an image that cannot be pulled (1), nothing to judge (2), or not knowing (3).
# shellcheck disable=SC2086 # several options
"${AKSISO:-aksiso}" preflight - ${AKSISO_OPTIONS:--g "$RESOURCE_GROUP" -n "$CLUSTER"} < "$manifests"

if [ -z "${DRY_RUN:-}" ]; then
    helm upgrade --install "$release" "$chart" "$@"
fi
