#!/usr/bin/env bash
# A producer that prints outcomes and sends nothing: of messages on the partitions 0 and 1, and from the 40th on of
# partition 0 only. With SENT_MS it prints when they were sent, with STDIN only its standard input ends it.
set -euo pipefail

while (($# > 0)); do
  case $1 in
    --value-prefix) prefix=$2; shift ;;
    --topic) topic=$2; shift ;;
    --seed) echo "seed $2"; shift ;;
  esac
  shift
done

asked=0
# The line is read in the background: a read with a time limit could lose a part of it.
if [[ -n ${STDIN:-} ]]; then
  trap '' TERM
  trap 'asked=1' USR1
  exec 3<&0
  (read -r line <&3 && [[ $line == '{"stop": true}' ]] && kill -USR1 $$) &
else
  trap 'asked=1' TERM
fi
echo '{"name":"startup_complete"}'
offsets=(0 0)
n=0
while ((asked == 0)); do
  partition=$((n < 40 ? n % 2 : 0))
  sent=
  [[ -z ${SENT_MS:-} ]] || sent=",\"sent_ms\":$(date +%s%3N)"
  printf '{"name":"producer_send_success","key":null,"value":"%s.%d","topic":"%s","partition":%d,"offset":%d%s}\n' \
    "$prefix" "$n" "$topic" "$partition" "${offsets[partition]}" "$sent"
  offsets[partition]=$((offsets[partition] + 1))
  n=$((n + 1))
  sleep 0.02
done
echo '{"name":"shutdown_complete"}'
printf '{"name":"tool_data","sent":%d,"acked":%d}\n' "$n" "$n"
