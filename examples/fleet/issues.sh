#!/usr/bin/env bash
# One issue for each root cause of a fleet, found again by its fingerprint; closed when no cluster has it any more.
# usage: issues.sh FLEET.json OWNER/REPOSITORY     (needs jq and gh; DRY_RUN=1 prints what it would do)
set -euo pipefail
report=$1 repository=$2
run() { if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }

if [ -n "${ISSUES_FILE:-}" ]; then open=$(cat "$ISSUES_FILE")
else open=$(gh issue list --repo "$repository" --label aksiso-fleet --state open --limit 500 --json number,body); fi

jq -c '.findings as $findings | .causes[] | select(.severity != "info") |
  . + {finding: (.fingerprint as $print | first($findings[] | select(.fingerprint == $print)))}' "$report" | while read -r cause; do
  print=$(jq -r .fingerprint <<< "$cause")
  if jq -e --arg print "aksiso-fingerprint: $print" 'any(.[]; .body | contains($print))' <<< "$open" > /dev/null; then
    continue
  fi
  title=$(jq -r '"\(.rule): \(.subject.name) (\(.clusters | length) clusters)"' <<< "$cause")
  # Indented by four, nothing in it is a mention, a link or HTML.
  body=$(jq -r '"    " + (.finding.detail + "\n" + .remediation.summary + "\n" + (.remediation.commands | join("\n")) + "\n\nClusters:\n" +
    (.clusters | join("\n")) | gsub("\n"; "\n    ")) + "\n\n" + .remediation.docs + "\n\naksiso-fingerprint: " + .fingerprint' <<< "$cause")
  run gh issue create --repo "$repository" --label aksiso-fleet --title "$title" --body "$body"
done

# What some subscription or check could not show this time is not gone.
if jq -e '(.scope.hidden | length > 0) or (.scope.gaps // [] | length > 0) or any(.clusters[]; .undetermined | length > 0)' "$report" > /dev/null; then
  exit 0
fi
jq -r '.[] | "\(.number) \(.body | capture("aksiso-fingerprint: (?<p>[0-9a-f]{32})").p)"' <<< "$open" | while read -r number print; do
  if ! jq -e --arg print "$print" 'any(.causes[]; .fingerprint == $print)' "$report" > /dev/null; then
    run gh issue close "$number" --repo "$repository" --comment "aksiso no longer finds it in any cluster."
  fi
done
