#!/usr/bin/env bash
# One issue a root cause, found again by its fingerprint; closed when the finding is gone.
# usage: github-issues.sh REPORT.json OWNER/REPOSITORY     (needs jq and gh; DRY_RUN=1 prints what it would do and asks
# nobody: as if no issue were open, or with those in ISSUES_FILE, the output of the gh issue list below)
set -euo pipefail
report=$1 repository=$2
run() { if [ -n "${DRY_RUN:-}" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }

if [ -n "${ISSUES_FILE:-}" ]; then open=$(cat "$ISSUES_FILE")
elif [ -n "${DRY_RUN:-}" ]; then open='[]'
else open=$(gh issue list --repo "$repository" --label aksiso --state open --limit 500 --json number,body); fi

# A finding that another one explains needs no issue of its own.
jq -c '.findings[] | select(.severity != "info" and (.causedBy | length) == 0)' "$report" | while read -r finding; do
  print=$(jq -r .fingerprint <<< "$finding")
  if jq -e --arg print "aksiso-fingerprint: $print" 'any(.[]; .body | contains($print))' <<< "$open" > /dev/null; then
    continue
  fi
  title=$(jq -r '"\(.rule): \(.subject.name)"' <<< "$finding")
  # Indented by four, nothing in it is a mention, a link or HTML.
  body=$(jq -r '"    " + (.detail + "\n" + .remediation.summary + "\n" + (.remediation.commands | join("\n")) | gsub("\n"; "\n    ")) + "\n\n" + .remediation.docs + "\n\naksiso-fingerprint: " + .fingerprint' <<< "$finding")
  run gh issue create --repo "$repository" --label aksiso --title "$title" --body "$body"
done

# What its check could not see this time is not gone.
jq -r '.[] | "\(.number) \(.body | capture("aksiso-fingerprint: (?<p>[0-9a-f]{32})").p)"' <<< "$open" | while read -r number print; do
  if jq -e --arg print "$print" 'any((.findings + (.suppressed // []))[]; .fingerprint == $print) or any(.checks[]; .gaps | length > 0)' "$report" > /dev/null; then
    continue
  fi
  run gh issue close "$number" --repo "$repository" --comment "aksiso no longer finds it."
done
