#!/usr/bin/env bash
# on_call.bash PROGRAMS GUIDE [--write]
#
# A night on call, played with the example service: an alert, the cause, the repair, and thousands of letters delivered
# again while the service goes on. It types what the programs propose and nothing else. PROGRAMS is the folder of
# webhooks, check-dead-letters and dead-letters. The run becomes a guide, with ids and times normalised; the script fails
# unless it is GUIDE. With --write it writes GUIDE instead. TIDINGS_ON_CALL_LETTERS plays with another number of letters,
# and then compares nothing.
set -euo pipefail
programs=$(realpath -- "$1") guide=$(realpath -- "$2") mode=${3:-compare}
letters=${TIDINGS_ON_CALL_LETTERS:-10000}
columns=100
export PATH=$programs:$PATH LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1
unset TIDINGS_DB

folder=$(mktemp -d)
service=
publisher=
clean_up() {
  touch "$folder/enough"
  if [ -n "$publisher" ]; then kill "$publisher" 2>/dev/null || true; fi
  if [ -n "$service" ]; then kill -KILL "$service" 2>/dev/null || true; fi
  wait
  rm -rf "$folder"
}
trap clean_up EXIT
cd "$folder"

fail() {
  echo "on_call: $*" >&2
  for file in screen.* webhooks.out; do
    if [ -s "$file" ]; then sed "s/^/  $file: /" "$file" >&2; fi
  done
  exit 1
}

# with_commas NUMBER: as the programs write it.
with_commas() { sed -E ':again; s/^([0-9]+)([0-9]{3})/\1,\2/; t again' <<<"$1"; }

# deliveries FIRST LAST: webhook deliveries by number, a line each, of three types and 400 repositories.
deliveries() {
  awk -v first="$1" -v last="$2" 'BEGIN {
    split("github.star.created github.fork github.push", types)
    for (n = first; n <= last; ++n) {
      type = types[n % 3 + 1]
      repository = sprintf("\"repository\": {\"full_name\": \"orchard/tree-%d\", \"private\": false}", n % 400)
      sender = "\"sender\": {\"login\": \"quince\"}"
      commit = type == "github.push" ? sprintf(", \"ref\": \"refs/heads/main\", \"head_commit\": {\"id\": \"%07x\", \"message\": \"Prune\"}", n) : ""
      printf "{\"id\": \"7d0c2f10-5b1e-4e7a-9c3d-%012d\", \"type\": \"%s\", \"source\": \"example.net/hooks\", \"data\": {%s, %s%s}}\n", n, type, repository, sender, commit
    }
  }'
}

# await_letters NUMBER: returns when that many are unresolved.
await_letters() {
  # It exits with 1 or more as soon as there are any.
  until [[ $(check-dead-letters --db webhooks.db --json) == *"\"unresolved\":$1,"* ]]; do
    kill -0 "$service" 2>/dev/null || fail "the service ended: $(cat webhooks.out)"
  done
}

# type_in NAME STATUS COMMAND: runs a command on a terminal, keeps what it showed as screen.NAME, and expects its status.
type_in() {
  local status=0
  script -qec "stty cols $columns rows 40; $3" /dev/null </dev/null >"raw.$1" || status=$?
  sed -E $'s/\r(marked|delivering) [^\r\x1b]*\x1b\\[K//g; s/\r\x1b\\[K//g; s/\r//g; s/\\^D\b\b//' "raw.$1" >"screen.$1"
  [ "$status" -eq "$2" ] || fail "'$3' ended with $status instead of $2"
}

# expect NAME TEXT: that it was shown. Lines may be wrapped, so any white space is as good as another.
expect() {
  tr -s '[:space:]' ' ' <"screen.$1" | grep -qF -- "$2" || fail "screen.$1 does not say: $2"
}

# proposed NAME TEXT: the command that stands behind a text.
proposed() {
  local command
  command=$(sed -nE "s/^(.*; )?$2 *(.*)\$/\\2/p" "screen.$1" | sed -E 's/ \| .*//; s/   .*//' | head -n 1)
  [[ $command == *dead-letters\ * ]] || fail "screen.$1 proposes nothing behind '$2'"
  echo "$command"
}

# --- The service runs, and a clean-up job removes the folder of the page that it writes.
mkfifo deliveries.fifo
webhooks --db webhooks.db --page public/activity.txt --log webhooks.log --summary summary.json --quiet - \
  <deliveries.fifo >webhooks.out 2>&1 &
service=$!
exec 3>deliveries.fifo
trap '' PIPE
deliveries 1 $((letters - 1)) >&3 || fail "the service takes nothing in"
await_letters $((letters - 1))
# The last one by itself, so that the newest letter is known.
deliveries "$letters" "$letters" >&3 || fail "the service takes nothing in"
await_letters "$letters"

# --- The alert, and at most three commands to the cause.
fault='cannot append to the page public/activity.txt: No such file or directory'
type_in alert 1 'check-dead-letters --db webhooks.db'
groups_command=$(proposed alert 'next:')
type_in groups 0 "$groups_command"
expect groups "$(with_commas "$letters") "
expect groups '3 types show_activity'
expect groups "$fault"
show_command=$(proposed groups 'The newest letter:')
type_in show 0 "$show_command"
expect show "$fault"
trace_command=$(proposed show 'The whole request:')
type_in trace 0 "$trace_command"
expect trace "* letter $letters, show_activity: unresolved"

# --- The repair. The service keeps publishing from here on.
mkdir public
{
  last=$letters
  while [ ! -e enough ]; do
    deliveries $((last + 1)) $((last + 20))
    last=$((last + 20))
    check-dead-letters --db webhooks.db >checked || true  # as it goes on in real life, which makes this no flood
  done >&3
  echo "$last" >published
} &
publisher=$!

# --- One command delivers them all, to the failed handler only.
retry_command=$(proposed groups 'After the fix:')
type_in retry 0 "$retry_command"
expect retry "$(with_commas "$letters") succeeded, 0 failed again."
tr '\r' '\n' <raw.retry | grep -qE "^delivering \[[#.]{20}\] [0-9,]+ of $(with_commas "$letters")" ||
  fail "no progress bar was shown"
type_in quiet 0 'check-dead-letters --db webhooks.db'
expect quiet 'DEADLETTERS OK: 0 unresolved'

# --- Every delivery is on the page, once.
touch enough
wait "$publisher" || fail "publishing failed"
publisher=
exec 3>&-
wait "$service" || fail "the service ended with $?"
service=
published=$(cat published)
shown=$(wc -l <public/activity.txt)
[ "$published" -gt "$letters" ] || fail "nothing was published meanwhile"
[ "$shown" -eq "$published" ] || fail "of $published deliveries $shown are on the page"
echo "on_call: $letters letters, $published deliveries, $shown on the page"

# --- The guide.
# normalised NAME: a screen in which everything that differs from run to run has the same value, and without what is said
# only on a machine so busy that nothing happens for seconds.
normalised() {
  sed -E \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3} UTC/2026-01-01 03:00:00.123 UTC/g' \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC/2026-01-01 03:00:00 UTC/g' \
    -e 's/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}/03:00:00.123/g' \
    -e 's/took [0-9.]+ ms/took 0.1 ms/g' \
    -e 's/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/019b7721-3e80-7000-8000-000000000001/g' \
    -e 's/(just now|[0-9dhms]+ ago)/4m ago/g' \
    -e 's/\(oldest [0-9dhms]+\)/(oldest 4m)/' \
    -e 's/(\(oldest 4m\).*oldest=)[0-9]+s/\1240s/' \
    -e 's/^(LETTERS  CAUSE) +FIRST +LAST  /\1             FIRST  LAST  /' \
    -e 's/^( *[0-9,]+  [0-9a-f]{16}) +[0-9dhms]+ +[0-9dhms]+  /\1     4m    4m  /' \
    -e '/^dead-letters: nothing was delivered for /d' \
    -e 's/^(process     )[0-9]+ on .*/\14711 on shop-1/' \
    "screen.$1" | sed -e :again -e '/^\n*$/{$d;N;b again' -e '}'
}

# shown COMMAND NAME: a command and its screen as a block of code.
shown() {
  printf '```console\n$ %s\n' "$1"
  normalised "$2"
  printf '```\n'
}

write_guide() {
  local count
  count=$(with_commas "$letters")
  cat <<END
# On call

From an alert to an empty list, as in a real run of the [example service](../examples/webhooks/service.cpp):
\`tests/examples/on_call.bash\` plays the night, types only commands that the programs propose, and writes this page; a
test fails if the run and the page differ. Only ids, times, process and host are normalised. [dead-letters.md](dead-letters.md)
describes all verbs, [check-dead-letters.md](check-dead-letters.md) the alert.

The service receives webhooks and, among other things, appends each to a public activity page, which is a file. At three
in the morning a clean-up job removes the folder of that page.

## The alert

\`check-dead-letters\` runs from cron or a monitoring system. It exits with 1, a WARNING, and says what to type next:

END
  shown 'check-dead-letters --db webhooks.db' alert
  cat <<END

## What fails?

END
  shown "$groups_command" groups
  cat <<END

One line is one cause, however many letters and event types it has. One handler fails, \`show_activity\`. The handlers of
the same events that write changelogs and start builds do not fail, or they would have lines of their own. The error
names the file. That is often enough; when it is not, two more commands show details.

## What happened to one of them?

END
  shown "$show_command" show
  cat <<END

Three attempts failed in the same way, so the fault is not temporary. The payload is complete, secrets in it would be
masked, and the correlation id is the one that the sender of the webhook knows.

## What else happened to that request?

For a question about a particular delivery, its correlation id, from the report, a log record or \`show\`, leads to it
directly:

END
  shown "$trace_command" trace
  cat <<END

One letter, for one handler: all other handlers of that event have done their work, and will not do it again.

## The repair

Make the missing folder again. The service need not be restarted, and events that arrive from now on succeed.

\`\`\`console
\$ mkdir public
\`\`\`

## Deliver them again

\`groups\` has proposed the command. \`--canary 10\` has ten letters delivered first and continues only if all of them
succeed, so a repair that does not work costs ten attempts. The running service delivers, to the handler that failed and
to no other, while it keeps working: in this run it received new webhooks all the time. A line shows the progress,
\`delivering [##########..........] $(with_commas $((letters / 2))) of $count\`, and ends like this:

END
  shown "$retry_command" retry
  cat <<END

Ctrl-C would only end the waiting. Letters that fail again stay unresolved, with one more attempt in their history, and
\`retry\` lists their causes.

## All is well

END
  shown 'check-dead-letters --db webhooks.db' quiet
  cat <<END

In the end the page had one line for each of the $count deliveries of that night, and one for each new one.

## Other nights

Not of this run, but typed by tests as they stand here:

- **The database is damaged.** The check is UNKNOWN and says so, and so does the service. Stop the services that use it.
  Then \`dead-letters recover webhooks.db\` saves what can be read to \`webhooks.db.recovered\`, and
  \`dead-letters --db webhooks.db restore webhooks.db.recovered\` puts it in place and keeps the old files. A backup is
  put back in the same way, never with \`cp\`.
- **\`journal_lost\` is in the log, or calls fail as "deleted or replaced".** Another bus owns the journal now:
  \`webhooks.db.owner\` was removed, or another file was put in the database's place while services ran. The bus that lost
  the journal delivers nothing durable any more. If the \`-wal\` or \`-shm\` file was deleted, stop the services with
  SIGTERM, which keeps all committed data, and start them again. If the database file was replaced, its letters go to
  the spill file. Stop every service that uses the database, and put the right file in place if it is the wrong one
  (\`dead-letters --db webhooks.db restore BACKUP\` keeps the other). \`dead-letters --db webhooks.db doctor\` shows what it
  holds and owes. Then start the services again, one owner each: the spilled letters are imported, and deliveries that
  both buses ran at that moment may be repeated.
- **\`wal_growing\` is in the log.** A program has been reading an old state of the database for long (a forgotten
  \`sqlite3\` with an open transaction, a backup that hangs): \`fuser -v webhooks.db\` names it. When it has ended, the
  service releases the space.
- **Most letters are \`parked\`.** An earlier letter of their ordering key must be delivered first.
  \`dead-letters --db webhooks.db groups\` proposes its cause. When it is delivered,
  \`dead-letters --db webhooks.db retry --reason parked --wait\` delivers the others, in order.
- **\`dead_letter_unsaved\` is in the log.** Neither the database nor the spill file took a letter, so the service wrote
  all of it to standard error, one line of JSON each. Keep that log, make room on the disk, and
  \`dead-letters --db webhooks.db import service.log\` takes the letters out of it.
END
}

if [ "$mode" = --write ]; then
  write_guide >"$guide"
  echo "on_call: wrote $guide"
elif [ "$letters" -eq 10000 ]; then
  write_guide >guide.md
  diff -u "$guide" guide.md ||
    fail "the run is not what $guide says. If the run is right: cmake --build BUILD --target on-call-guide"
fi
