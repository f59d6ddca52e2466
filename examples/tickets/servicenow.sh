#!/usr/bin/env bash
# Sends events to ServiceNow Event Management: one a finding, and a clear for each that is gone since the last run.
# usage: servicenow.sh RESOURCE_GROUP CLUSTER STATE_FOLDER     (needs curl; SNOW_URL, SNOW_USER, SNOW_PASSWORD;
# DRY_RUN=1 writes the events and sends nothing; AKSISO_ARGS replaces the target, e.g. --from snapshot.json)
set -euo pipefail
group=$1 cluster=$2 state=$3
mkdir -p "$state"
previous=()
[ ! -f "$state/last.json" ] || previous=(--previous "$state/last.json")
read -r -a target <<< "${AKSISO_ARGS:---resource-group $group --name $cluster}"
code=0
aksiso diagnose "${target[@]}" "${previous[@]}" --fail-on never --allow-incomplete \
  --output "servicenow=$state/events.json" --output "json=$state/new.json" || code=$?
[ "$code" -eq 0 ] || exit "$code" # no report: the last one stays, and nothing is cleared
if [ -z "${DRY_RUN:-}" ]; then
  curl --fail --silent --show-error --user "$SNOW_USER:$SNOW_PASSWORD" --header 'Content-Type: application/json' \
    --data "@$state/events.json" "$SNOW_URL/api/global/em/jsonv2"
fi
mv "$state/new.json" "$state/last.json"
