#!/usr/bin/env bash
# One Jira issue a root cause, found again by its label; moved to done when the finding is gone.
# usage: jira.sh REPORT.json PROJECT     (needs jq and curl; JIRA_URL, JIRA_USER, JIRA_TOKEN, JIRA_DONE = id of the
# transition to done; DRY_RUN=1 prints the requests and sends none: as if no issue were open, or with those in
# ISSUES_FILE, an answer of the search below). For Jira Cloud: the search of Data Center is POST search, version 2.
set -euo pipefail
report=$1 project=$2
jira() { # METHOD PATH BODY [VERSION OF THE API]
  if [ -n "${DRY_RUN:-}" ]; then
    printf '%s %s %s\n' "$1" "$2" "$3"
    return
  fi
  curl --fail --silent --show-error --user "$JIRA_USER:$JIRA_TOKEN" --request "$1" \
    --header 'Content-Type: application/json' --data "$3" "$JIRA_URL/rest/api/${4:-2}/$2"
}

# The search answers page by page.
search() {
  local jql="project = \"$project\" AND labels = aksiso AND statusCategory != Done" token='' page
  while :; do
    page=$(jira POST search/jql "$(jq -nc --arg jql "$jql" --arg token "$token" \
      '{jql: $jql, fields: ["labels"], maxResults: 100} + (if $token == "" then {} else {nextPageToken: $token} end)')" 3)
    jq -c '.issues[]' <<< "$page"
    token=$(jq -r '.nextPageToken // ""' <<< "$page")
    [ -n "$token" ] || break
  done
}

if [ -n "${ISSUES_FILE:-}" ]; then
  open=$(cat "$ISSUES_FILE")
elif [ -n "${DRY_RUN:-}" ]; then
  open='{"issues": []}'
else
  issues=$(search)
  open=$(jq -s '{issues: .}' <<< "$issues")
fi

jq -c '.findings[] | select(.severity != "info" and (.causedBy | length) == 0)' "$report" | while read -r finding; do
  print=$(jq -r .fingerprint <<< "$finding")
  if jq -e --arg name "aksiso-$print" 'any(.issues[]; .fields.labels | index($name))' <<< "$open" > /dev/null; then
    continue
  fi
  # {noformat} keeps Jira from reading anything in it as markup; the marker itself is taken out.
  jira POST issue "$(jq -c --arg project "$project" '{fields: {
    project: {key: $project}, issuetype: {name: "Bug"}, labels: ["aksiso", "aksiso-\(.fingerprint)"],
    summary: ("\(.rule): \(.subject.name)" | .[0:250]),
    description: ("{noformat}\n" + ("\(.detail)\n\(.remediation.summary)\n\(.remediation.commands | join("\n"))" | gsub("[{]noformat[}]"; "")) + "\n{noformat}\n\(.remediation.docs)")}}' <<< "$finding")"
done

jq -r '.issues[] | "\(.key) \(.fields.labels | map(select(test("^aksiso-[0-9a-f]{32}$"))) | first // "" | ltrimstr("aksiso-"))"' <<< "$open" | while read -r key print; do
  if [ -z "$print" ] || jq -e --arg print "$print" 'any((.findings + (.suppressed // []))[]; .fingerprint == $print) or any(.checks[]; .gaps | length > 0)' "$report" > /dev/null; then
    continue
  fi
  jira POST "issue/$key/transitions" "$(jq -nc --arg id "${JIRA_DONE:-31}" '{transition: {id: $id}}')"
done
