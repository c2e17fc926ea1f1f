#!/usr/bin/env bash
# readme_dead_letters.bash README QUICKSTART PROGRAMS
#
# Runs the quickstart, types the commands of the README's section about dead-letters, and fails unless they print what the
# README says, but for how long ago things happened. Then the quickstart has to deliver what was corrected. PROGRAMS is the
# folder of dead-letters.
set -euo pipefail
readme=$(realpath -- "$1") quickstart=$(realpath -- "$2")
export PATH=$(realpath -- "$3"):$PATH
unset TIDINGS_DB

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

sed '1,/^## From the alert to the fix$/d; /^## /,$d' "$readme" | sed -n '/^```console$/,/^```$/p' | sed '/^```/d' >expected
grep -q '^\$ dead-letters' expected || { echo "$readme has no command of dead-letters in its section" >&2 && exit 1; }

without_ages() { sed -E 's/ +([0-9]+m)?[0-9]+s / 4s /g' "$1"; }

"$quickstart" >first 2>log
sed -n 's/^\$ //p' expected | while read -r command; do
  printf '$ %s\n' "$command"
  eval "$command" 2>&1 </dev/null
done >printed
diff -u <(without_ages expected) <(without_ages printed)

"$quickstart" >second 2>log
if ! grep -qx 'receipt for order 43' second; then
  echo "the quickstart did not deliver the corrected letter; it printed:" >&2
  cat second log >&2
  exit 1
fi
