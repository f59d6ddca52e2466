#!/bin/sh
# Looks at the network from this node and prints one line of JSON, for: aksiso diagnose --probe FILE
# It reads; it sends no credential, pulls nothing and changes nothing. Diagnostics go to standard error.
# Needs sh, sed, tr, cut, date, curl, and nslookup (else getent).
set -uf
LC_ALL=C
export LC_ALL
SERVER=@SERVER@
PORT=@PORT@
DATA=@DATA@
API=@API@
API_PORT=@API_PORT@
MCR=@MCR@
EGRESS=@EGRESS@
all=''
found=''
most=0

say() { printf '%s\n' "$*" >&2; }

# A text for JSON: printable ASCII, short, escaped.
text() { printf '%s' "$1" | tr -cd '\40-\176' | cut -c1-160 | sed 's/\\/\\\\/g; s/"/\\"/g; s/##/#\\u0023/g'; }

# A list of words as JSON texts.
list() {
  out=''
  for word in $1; do out="$out${out:+,}\"$(text "$word")\""; done
  printf '%s' "$out"
}

# One result: probe, target, via, outcome. What would make the line too long is left out, and said to be; addresses and
# connections that are as they should be leave room for who answers, and for what is not.
add() {
  via=''
  [ -n "$3" ] && via="\"via\":\"$3\","
  one="{\"probe\":\"$1\",\"target\":\"$(text "$2")\",$via\"outcome\":{$4},\"elapsedMs\":null}"
  room=$most
  case "$4" in
    *'"kind":"addresses"'*) room=$((most - 600)) ;;
    *'"kind":"open"'*) room=$((most - 1100)) ;;
  esac
  if [ $((${#all} + ${#one} + 1)) -gt "$room" ]; then
    say "left out: $1 $2"
    one="{\"probe\":\"$1\",\"target\":\"$(text "$2")\",$via\"outcome\":{\"kind\":\"not-tried\",\"reason\":\"line full\"}}"
    # Beyond what results may fill there is room for one such note at least.
    if [ $((${#all} + ${#one} + 1)) -gt $((most + 120)) ]; then return; fi
  fi
  all="$all${all:+,}$one"
}

limited() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }

# Asks the system's name servers for one kind of address: sets $said and $rc. Each server gets 2 s, then the next.
lookup() {
  said=$(limited "$2" nslookup -timeout=2 -retry=1 "-type=$3" "$1." 2>&1)
  rc=$?
  case "$said" in
    *[Uu]sage:* | *"nvalid option"* | *"nrecognized option"*)
      said=$(limited "$2" nslookup "$1." 2>&1)
      rc=$? ;;
  esac
  answer=$(printf '%s\n' "$said" | sed '1,/^$/d')
}

# The addresses in $answer.
addresses() {
  printf '%s\n' "$answer" | sed -n 's/^Address[ 0-9]*:[[:space:]]*\([0-9a-fA-F.:]*\).*$/\1/p;s/.* has AAAA address \([0-9a-fA-F.:]*\)$/\1/p'
}

# The addresses of a name by what nslookup cannot do: in $found, and as a result.
by_getent() {
  found=$(limited 8 getent ahosts "$1" 2>/dev/null | sed 's/ .*//' | sort -u | head -n 8 | tr '\n' ' ')
  if [ -n "$found" ]; then
    add resolve "$1" system "\"kind\":\"addresses\",\"addresses\":[$(list "$found")],\"cnames\":[]"
  else
    add resolve "$1" system "\"kind\":\"not-tried\",\"reason\":\"getent finds no address, and $2\""
  fi
}

# The addresses of a name, in $found.
resolve() {
  found=''
  if ! command -v nslookup >/dev/null 2>&1; then by_getent "$1" 'nslookup is missing'; return; fi
  lookup "$1" 8 A
  found=$(addresses)
  names=$(printf '%s\n' "$answer" | sed -n 's/.*canonical name = *\([^ ]*\)$/\1/p' | sed 's/\.$//' | head -n 4 | tr '\n' ' ')
  first=$said
  ended=$rc
  lookup "$1" 3 AAAA
  found=$(printf '%s\n%s\n' "$found" "$(addresses)" | sed '/^$/d' | sort -u | head -n 8 | tr '\n' ' ')
  if [ -n "$found" ]; then
    add resolve "$1" system "\"kind\":\"addresses\",\"addresses\":[$(list "$found")],\"cnames\":[$(list "$names")]"
    return
  fi
  case "$ended:$first" in
    *NXDOMAIN*) kind=nxdomain ;;
    *SERVFAIL*) kind=servfail ;;
    *REFUSED*) kind=refused ;;
    *"No answer"* | *"no address"*) kind=no-data ;;
    124:* | 137:* | 143:* | *"timed out"* | *"no servers could be reached"* | *"onnection refused"*) kind=timed-out ;;
    *"communications error"* | *FORMERR* | *"bad "* | *"alformed"*) kind=malformed ;;
    *)
      if [ -z "$names" ]; then by_getent "$1" 'the answer of nslookup is not understood'; return; fi
      kind=no-data ;;
  esac
  add resolve "$1" system "\"kind\":\"$kind\""
}

# Why a connection did not open.
closed() {
  case "$1" in
    *refused*) printf refused ;;
    *"reset by peer"*) printf reset ;;
    *unreachable* | *"No route"*) printf unreachable ;;
    *) printf timed-out ;;
  esac
}

# Host, address, path, port: sets $code, $said, $status, $connected. Any certificate will do where $5 is set.
ask() {
  at=$2
  case "$at" in *:*) at="[$at]" ;; esac
  said=$(curl -sSv ${5:+-k} --noproxy '*' --connect-timeout 5 --max-time 5 -o /dev/null \
    -w 'status=%{http_code} connect=%{time_connect} tls=%{time_appconnect}\n' \
    --resolve "$1:$4:$at" "https://$1:$4$3" 2>&1)
  code=$?
  status=$(printf '%s\n' "$said" | sed -n 's/^status=\([0-9]*\) .*/\1/p')
  # Times are of no use here: where the handshake fails, some versions of curl give none.
  case "$code:$said" in
    7:*) connected='' ;;
    28:*'Connected to'* | 28:*ALPN* | 28:*'TLS handshake'*) connected=yes ;;
    28:*) connected='' ;;
    *) connected=yes ;;
  esac
}

# A header of the last answer; $2 = how its value begins.
header() { printf '%s\n' "$said" | tr -d '\r' | sed -n 's/^< //p' | grep -i "^$1: *${2:-}" | head -n 1 | sed 's/^[^:]*: *//'; }

# Host, kind, port: connections to each address, then who answers at the first that opens.
visit() {
  open=''
  tried=0
  for address in $found; do
    tried=$((tried + 1))
    if [ "$tried" -gt 4 ]; then say "not all addresses of $1 were tried"; break; fi
    shown=$address
    case "$address" in *:*) shown="[$address]" ;; esac
    if [ "$2" = server ]; then path=/v2/; else path=/; fi
    ask "$1" "$address" "$path" "$3" "$(insecure "$2")"
    if [ -z "$connected" ]; then
      add connect "$shown:$3" system "\"kind\":\"$(closed "$said")\""
      continue
    fi
    add connect "$shown:$3" system '"kind":"open"'
    if [ -z "$open" ]; then
      open=yes
      [ "$2" = api ] || handshake "$1" "$2" "$3"
    fi
  done
}

# The API server's certificate is of the cluster's own authority: only the connection counts there.
insecure() { [ "$1" = api ] && printf yes; }

# Who signed the certificate, and for the registry how it greets.
handshake() {
  case "$code" in
    51 | 60)
      # Who signed it is said only where it is not judged.
      why=$code:$said
      ask "$1" "$address" "$path" "$3" yes
      issuer=$(printf '%s\n' "$said" | sed -n 's/^\* *issuer: *//p' | head -n 1)
      said=${why#*:}
      code=${why%%:*} ;;
    *) issuer=$(printf '%s\n' "$said" | sed -n 's/^\* *issuer: *//p' | head -n 1) ;;
  esac
  issuer="\"issuer\":\"$(text "$issuer")\""
  case "$code:$said" in
    60:*expired* | 60:*"not yet valid"*) add tls "$1" system "\"kind\":\"untrusted\",\"reason\":\"expired\",$issuer"; return ;;
    51:* | 60:*"subject name"* | 60:*"does not match"*)
      add tls "$1" system "\"kind\":\"untrusted\",\"reason\":\"wrong-name\",$issuer"; return ;;
    60:*) add tls "$1" system "\"kind\":\"untrusted\",\"reason\":\"unknown-issuer\",$issuer"; return ;;
    77:*) add tls "$1" system '"kind":"not-tried","reason":"no certificate store"'; return ;;
    35:*"wrong version"* | 35:*"packet length"*) add tls "$1" system '"kind":"not-tls"'; return ;;
    35:*) add tls "$1" system '"kind":"reset"'; return ;;
    28:*' tls=0.000000'*) add tls "$1" system '"kind":"timed-out"'; return ;;
  esac
  add tls "$1" system "\"kind\":\"trusted\",$issuer"
  [ "$2" = server ] && greeting "$1"
}

greeting() {
  case "$code" in
    0) ;;
    28) add registry "$1" system '"kind":"timed-out"'; return ;;
    1 | 8) add registry "$1" system '"kind":"not-http"'; return ;;
    *) add registry "$1" system '"kind":"reset"'; return ;;
  esac
  challenge=$(header www-authenticate bearer)
  realm=$(printf '%s' "$challenge" | sed -n 's/.*[Rr]ealm="\{0,1\}\([^", ]*\).*/\1/p')
  service=$(printf '%s' "$challenge" | sed -n 's/.*[Ss]ervice="\{0,1\}\([^", ]*\).*/\1/p')
  html=''
  case "$(header content-type)" in *html*) html=yes ;; esac
  case "$status" in
    401)
      if [ -n "$realm" ]; then
        add registry "$1" system "\"kind\":\"challenge\",\"realm\":\"$(text "$realm")\",\"service\":\"$(text "$service")\""
      else
        add registry "$1" system '"kind":"other","status":401'
      fi ;;
    403) add registry "$1" system '"kind":"forbidden"' ;;
    200)
      if [ -n "$html" ]; then add registry "$1" system '"kind":"other","status":200'
      else add registry "$1" system '"kind":"anonymous"'; fi ;;
    30[12378])
      to=$(header location)
      case "$to" in
        *://* | //*) to=$(printf '%s' "$to" | sed 's#^[a-zA-Z]*:\{0,1\}//##; s#[/:?].*##') ;;
        *) to=$1 ;;
      esac
      add registry "$1" system "\"kind\":\"redirected\",\"host\":\"$(text "$to")\"" ;;
    *) add registry "$1" system "\"kind\":\"other\",\"status\":${status:-0}" ;;
  esac
}

# Whether a folder on the way to a file cannot be looked into, so that nobody can tell whether the file is there.
hidden() {
  folder=${1%/*}
  while [ -n "$folder" ] && [ ! -d "$folder" ]; do folder=${folder%/*}; done
  [ -n "$folder" ] && [ ! -x "$folder" ]
}

# Short name, path, what reads it.
file() {
  if [ ! -e "$2" ] && ! hidden "$2"; then add host-file "$1" '' '"kind":"absent"'
  elif [ ! -r "$2" ]; then add host-file "$1" '' '"kind":"refused","reason":"permission denied"'
  else add host-file "$1" '' "\"kind\":\"present\"$($3 "$2")"; fi
}
mirrors() { printf ',"mirrors":[%s]' "$(list "$(sed -n 's/^ *\[host\."\([^"]*\)"\].*/\1/p' "$1" | head -n 2 | tr '\n' ' ')")"; }
providers() { printf ',"mirrors":[%s]' "$(list "$(sed -n 's/.*--registry-mirror=\([^" ]*\).*/\1/p' "$1" | head -n 2 | tr '\n' ' ')")"; }
exitcode() {
  number=$(sed -n 's/.*"ExitCode": *"\{0,1\}\([0-9]\{1,4\}\).*/\1/p' "$1" | head -n 1)
  [ -n "$number" ] && printf ',"exitCode":%s' "$number"
}
mark() { :; }

command -v curl >/dev/null 2>&1 || { say 'curl is missing'; exit 3; }
host=$(cat /etc/hostname 2>/dev/null || hostname)
own=$(hostname -I 2>/dev/null || ip -o addr show scope global 2>/dev/null | sed -n 's/.*inet6* \([0-9a-fA-F.:]*\).*/\1/p' | tr '\n' ' ')
short=''
count=0
for address in $own; do
  case "$address" in fe80:*) continue ;; esac
  count=$((count + 1))
  if [ "$count" -le 6 ]; then short="$short $address"; fi
done
servers=$(sed -n 's/^nameserver[[:space:]]*\([^ #]*\).*/\1/p' /etc/resolv.conf 2>/dev/null | head -n 4 | cut -c1-64 | tr '\n' ' ')
begin=$(printf '{"schemaVersion":"1","tool":{"name":"aksiso","version":"@VERSION@"},"takenAt":"%s","vantage":"node","host":{"name":"%s","addresses":[%s],"resolvers":[%s]},"results":[' \
  "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(text "$(printf '%s' "$host" | cut -c1-64)")" "$(list "$short")" "$(list "$servers")")
most=$((3860 - ${#begin}))

# Elsewhere than in the node's own file system its files are not absent, but somewhere else.
if [ -d /var/lib/kubelet ]; then
  file hosts-toml "/etc/containerd/certs.d/$MCR/hosts.toml" mirrors
  file credential-provider /var/lib/kubelet/credential-provider-config.yaml providers
  file provision /var/log/azure/aks/provision.json exitcode
  file outbound-check-skipped /opt/azure/outbound-check-skipped mark
  file localdns /etc/localdns mark
else
  say "this is not the node's file system: its files were not looked at"
fi
for name in $SERVER; do resolve "$name"; visit "$name" server "$PORT"; done
for name in $DATA; do resolve "$name"; visit "$name" data "$PORT"; done
for name in $API; do resolve "$name"; visit "$name" api "$API_PORT"; done
for name in $EGRESS; do
  port=443
  case "$name" in *:*) port=${name##*:}; name=${name%:*} ;; esac
  resolve "$name"
  for address in $found; do
    ask "$name" "$address" / "$port" yes
    if [ -n "$connected" ]; then kind=open; else kind=$(closed "$said"); fi
    add egress "$name" system "\"kind\":\"$kind\""
    break
  done
done
printf '%s%s]}\n' "$begin" "$all"
