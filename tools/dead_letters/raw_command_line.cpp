#include "dead_letters/raw_command_line.hpp"

#include "dead_letters/exit_status.hpp"
#include "text/help_text.hpp"
#include "text/printable.hpp"
#include "text/shell_word.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace tidings::dead_letters {
namespace {

constexpr std::string_view kVersion = "dead-letters (tidings) " DEAD_LETTERS_VERSION "\n";
constexpr std::size_t kQuoted = 320;

constexpr const char* kFooter =
    "At 3 AM:\n"
    "  dead-letters groups                       what fails, one line per cause\n"
    "  dead-letters show 42                      one letter: error, attempts, payload\n"
    "  dead-letters retry --fingerprint 0f1e2d3c4b5a6978 --canary 10 --wait\n"
    "                                    after the fix: deliver again, 10 first\n"
    "\n"
    "LETTER is a letter's number, or the beginning of its event id.\n"
    "TIME is how long ago (2h, 30m, 1d), a day (2026-11-21) or\n"
    "2026-11-21T09:30:00Z; in UTC, unless it says otherwise (+01:00).\n"
    "Times are also taken as they are printed. The manual: man dead-letters\n"
    "Exit status: 0, or as sysexits.h: 64 usage, 65 data, 66 no such letter or file,\n"
    "69 failed again, 73 cannot create, 74 input or output, 75 try again,\n"
    "77 permission, 78 newer database.\n";

void add_globals(CLI::App& app, RawCommandLine& raw) {
  app.add_option("--db", raw.database, "The database (default: $TIDINGS_DB)")->type_name("FILE");
  app.add_flag("--json", raw.json, "Print one JSON object (docs/cli-json.md)");
  app.add_flag("-q,--quiet", raw.quiet, "No progress and no advice");
  app.add_flag("--no-color", raw.no_color, "No colours (also: NO_COLOR, TERM=dumb)");
}

void add_filters(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("--type", raw.event_type, "Only letters of this event type")->type_name("NAME");
  verb.add_option("--handler", raw.handler, "Only letters of this handler")->type_name("NAME");
  verb.add_option("--service", raw.service, "Only letters of this service")->type_name("NAME");
  verb.add_option("--fingerprint", raw.fingerprint, "Only letters of this cause, as groups shows it")
      ->type_name("HEX");
  verb.add_option("--correlation-id", raw.correlation_id, "Only letters of this request")->type_name("ID");
  verb.add_option("--event-id", raw.event_id, "Only letters of this event; its beginning is enough")
      ->type_name("ID");
  verb.add_option("--foreign-id", raw.foreign_id, "Only letters of the event with this id of another system")
      ->type_name("ID");
  verb.add_option("--since", raw.since, "Only letters that failed then or later; in UTC")->type_name("TIME");
  verb.add_option("--until", raw.until, "Only letters that failed before then; in UTC")->type_name("TIME");
  verb.add_option("--attribute", raw.attributes, "Only letters with this context field; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  verb.add_option("--where", raw.where, "Only letters whose payload has this value; may be repeated")
      ->type_name("/POINTER=VALUE")
      ->allow_extra_args(false);
}

/// discard's own --reason is why the operator discards.
void add_reason_filter(CLI::App& verb, RawCommandLine& raw, const char* option) {
  verb.add_option(option, raw.reason, "Only letters that gave up for this reason, e.g. exhausted")
      ->type_name("NAME");
}

enum class UsualState : std::uint8_t { Unresolved, Any };

void add_states(CLI::App& verb, RawCommandLine& raw, UsualState usual) {
  const auto text = [usual](const std::string& flag, UsualState state) {
    return flag + (usual == state ? " (default)" : "");
  };
  verb.add_flag("--unresolved", raw.unresolved, text("Only unresolved letters", UsualState::Unresolved));
  verb.add_flag("--resolved", raw.resolved, "Only resolved letters");
  verb.add_flag("--all", raw.all, text("Resolved and unresolved letters", UsualState::Any));
}

void add_list(CLI::App& verb, RawCommandLine& raw, const char* orders, const char* limit) {
  verb.add_option("--sort", raw.sort, orders)->type_name("ORDER");
  verb.add_option("--limit", raw.limit, limit)->type_name("N");
}

void add_choice(CLI::App& verb, RawCommandLine& raw, const char* all) {
  verb.add_option("letters", raw.letters, "Letters, by number or beginning of the event id")
      ->type_name("LETTER");
  add_filters(verb, raw);
  if (all != nullptr) verb.add_flag("--all", raw.all, all);
}

void add_dry_run(CLI::App& verb, RawCommandLine& raw) {
  verb.add_flag("-n,--dry-run", raw.dry_run, "Say what would happen, and change nothing");
}

void add_letter(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("letter", raw.letters, "The letter: its number, or the beginning of its event id")
      ->type_name("LETTER")
      ->required()
      ->expected(1);
}

void add_key_file(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("--key-file", raw.key_file,
                  "The keys of payloads that are encrypted (default: $TIDINGS_KEY_FILE)")
      ->type_name("FILE");
}

void make_list(CLI::App& verb, RawCommandLine& raw) {
  add_filters(verb, raw);
  add_reason_filter(verb, raw, "--reason");
  add_states(verb, raw, UsualState::Unresolved);
  add_list(verb, raw, "newest (default) or oldest first", "At most N letters (default 20, at most 10000)");
  verb.add_option("--after", raw.after, "Go on where a page ended, with what it printed")->type_name("PLACE");
  verb.add_flag("--reveal", raw.reveal, "Show secrets in error texts");
}

void make_groups(CLI::App& verb, RawCommandLine& raw) {
  add_filters(verb, raw);
  add_reason_filter(verb, raw, "--reason");
  add_states(verb, raw, UsualState::Unresolved);
  add_list(verb, raw, "count (default) or last-seen", "At most N causes (default 50, at most 10000)");
  verb.add_option("--by", raw.by, "Group by the values of this context field instead of by cause")
      ->type_name("NAME");
  verb.add_flag("--reveal", raw.reveal, "Show secrets in error texts");
}

void make_show(CLI::App& verb, RawCommandLine& raw) {
  add_letter(verb, raw);
  verb.add_flag("--reveal", raw.reveal, "Show secrets too");
  add_key_file(verb, raw);
}

void make_trace(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("correlation-id", raw.trace_id,
                  "The request's correlation id, or the id of one of its events, here or in another system")
      ->type_name("ID")
      ->required();
  verb.add_flag("--reveal", raw.reveal, "Show secrets in error texts");
}

void make_stats(CLI::App& verb, RawCommandLine& raw) {
  add_filters(verb, raw);
  add_reason_filter(verb, raw, "--reason");
  add_states(verb, raw, UsualState::Any);
}

void make_retry(CLI::App& verb, RawCommandLine& raw) {
  add_choice(verb, raw, "All unresolved letters");
  add_reason_filter(verb, raw, "--reason");
  add_dry_run(verb, raw);
  verb.add_option("--canary", raw.canary, "Deliver N letters first, and go on only if all succeed")
      ->type_name("N");
  verb.add_option("--rate", raw.rate, "At most N letters a second, e.g. 50/s")->type_name("N/s");
  verb.add_option("--stop-after", raw.stop_after, "Stop after N failures")->type_name("N");
  verb.add_flag("--wait", raw.wait, "Wait until it is done, and say what failed again");
  verb.add_option("--timeout", raw.timeout, "Wait, but no longer than this, e.g. 10m")->type_name("DURATION");
}

void make_discard(CLI::App& verb, RawCommandLine& raw) {
  add_choice(verb, raw, "All unresolved letters");
  add_reason_filter(verb, raw, "--letter-reason");
  verb.add_option("--reason", raw.note, "Why; kept with the letters and in the audit")->type_name("TEXT");
  add_dry_run(verb, raw);
}

void make_edit(CLI::App& verb, RawCommandLine& raw) {
  add_letter(verb, raw);
  verb.add_option("--set", raw.set, "Set a value of the payload: JSON, or else text; may be repeated")
      ->type_name("/POINTER=VALUE")
      ->allow_extra_args(false);
  verb.add_option("--file", raw.file, "Take the whole payload from this JSON file; - is standard input")
      ->type_name("FILE");
  add_key_file(verb, raw);
  add_dry_run(verb, raw);
}

void make_undo(CLI::App& verb, RawCommandLine& raw) {
  add_choice(verb, raw, "All discarded letters");
  add_reason_filter(verb, raw, "--reason");
  add_dry_run(verb, raw);
}

void make_export(CLI::App& verb, RawCommandLine& raw) {
  add_filters(verb, raw);
  add_reason_filter(verb, raw, "--reason");
  add_states(verb, raw, UsualState::Any);
  verb.add_option("-o,--output", raw.file, "Write to this new file (default: standard output)")
      ->type_name("FILE");
}

void make_import(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("file", raw.file, "What export wrote, or a service's standard error; - is standard input")
      ->type_name("FILE")
      ->required();
  add_dry_run(verb, raw);
}

void make_purge(CLI::App& verb, RawCommandLine& raw) {
  add_filters(verb, raw);
  add_reason_filter(verb, raw, "--reason");
  verb.add_option("--older-than", raw.older_than, "Resolved before then (default 30d: 30 days ago)")
      ->type_name("TIME");
  verb.add_flag("--unresolved", raw.unresolved, "Unresolved letters instead; needs --confirm");
  verb.add_option("--confirm", raw.confirm, "How many letters this deletes, as --dry-run says")
      ->type_name("COUNT");
  add_dry_run(verb, raw);
}

void make_erase(CLI::App& verb, RawCommandLine& raw) {
  add_choice(verb, raw, nullptr);
  add_reason_filter(verb, raw, "--reason");
  verb.add_flag("-y,--yes", raw.yes, "Do not ask");
  add_dry_run(verb, raw);
}

void make_doctor(CLI::App& verb, RawCommandLine& raw) {
  verb.add_flag("--thorough", raw.thorough,
                "Compare every index with its table, which takes minutes for millions");
  add_key_file(verb, raw);
}

void make_backup(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("file", raw.file, "The copy, a file that does not exist yet")
      ->type_name("FILE")
      ->required();
  add_dry_run(verb, raw);
}

void make_restore(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("backup", raw.file, "The backup; it stays as it is")->type_name("FILE")->required();
  add_dry_run(verb, raw);
}

void make_recover(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("file", raw.damaged, "The damaged database (default: that of --db)")->type_name("FILE");
  verb.add_option("-o,--output", raw.file, "Write to this new file (default: FILE.recovered)")
      ->type_name("FILE");
}

void make_new_key(CLI::App& verb, RawCommandLine& raw) {
  verb.add_option("file", raw.file, "The key file; a new file, without --add")->type_name("FILE")->required();
  verb.add_flag("--add", raw.add_key, "Put a new key before those of a file that exists");
}

void make_rekey(CLI::App& verb, RawCommandLine& raw) {
  add_key_file(verb, raw);
  verb.add_option("--encrypt", raw.encrypt, "Encrypt what this event type has in the clear; may be repeated")
      ->type_name("TYPE")
      ->expected(1)
      ->allow_extra_args(false);
}

struct VerbEntry {
  const char* name;
  const char* description;
  const char* examples;
  void (*make)(CLI::App&, RawCommandLine&);
};

/// In the order of Verb.
constexpr std::array<VerbEntry, 19> kVerbs = {{
    {"list", "List letters, the newest failure first",
     "dead-letters list --handler send_receipt --since 2h\n  dead-letters list --where /order_id=42 --all",
     &make_list},
    {"groups", "List causes: how many letters, since when, and a sample of the error",
     "dead-letters groups\n  dead-letters groups --sort last-seen --since 1d", &make_groups},
    {"show", "Show all of one letter", "dead-letters show 42\n  dead-letters show 0195f3 --reveal",
     &make_show},
    {"trace", "Show what one request led to, as a tree", "dead-letters trace request-7", &make_trace},
    {"stats", "Count letters, and show what services counted", "dead-letters stats --since 7d", &make_stats},
    {"retry", "Have the running service deliver letters again",
     "dead-letters retry 42 43 --wait\n  dead-letters retry --fingerprint 0f1e2d3c4b5a6978 \\\n"
     "    --canary 10 --rate 50/s --wait",
     &make_retry},
    {"discard", "Give up on letters; undo takes it back",
     "dead-letters discard 42 --reason 'test order'\n  dead-letters discard --handler old_handler --dry-run",
     &make_discard},
    {"edit", "Correct a payload: makes a new letter and resolves the old one",
     "dead-letters edit 42 --set /email=ann@example.com\n  dead-letters edit 42          (opens $EDITOR)",
     &make_edit},
    {"undo", "Make discarded letters unresolved again", "dead-letters undo 42", &make_undo},
    {"export", "Write letters as CloudEvents, one a line",
     "dead-letters export --handler charge_card -o letters.ndjson", &make_export},
    {"import", "Take letters that export wrote, or that went to a service's standard error",
     "dead-letters import letters.ndjson --dry-run\n  dead-letters import letters.ndjson", &make_import},
    {"purge", "Delete letters that were resolved long ago",
     "dead-letters purge --older-than 90d --dry-run\n  dead-letters purge --unresolved --handler gone "
     "--confirm=12",
     &make_purge},
    {"erase", "Delete a person's letters for good, resolved or not, from every file",
     "dead-letters erase --where /customer/email=eve@example.com --dry-run\n  dead-letters erase "
     "--correlation-id request-7 --yes",
     &make_erase},
    {"doctor", "Say what is wrong with the database and what waits", "dead-letters doctor", &make_doctor},
    {"backup", "Copy the database while it is in use", "dead-letters backup orders-2026-11-21.db",
     &make_backup},
    {"restore", "Put a backup in the place of the database, which is kept",
     "dead-letters --db orders.db restore orders-2026-11-21.db", &make_restore},
    {"recover", "Save what can be read of a damaged database",
     "dead-letters recover orders.db\n  dead-letters --db orders.db restore orders.db.recovered",
     &make_recover},
    {"new-key", "Make a key file, or a new first key in one",
     "dead-letters new-key /etc/orders/keys\n  dead-letters new-key /etc/orders/keys --add", &make_new_key},
    {"rekey", "Encrypt with the first key what is encrypted with others",
     "dead-letters --db orders.db rekey --key-file /etc/orders/keys", &make_rekey},
}};

/// The word in the place of the verb.
std::optional<std::string> misspelt_verb(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool is_value = i > 0 && arguments[i - 1] == "--db";
    if (!is_value && !arguments[i].starts_with('-')) return arguments[i];
  }
  return std::nullopt;
}

[[noreturn]] void refuse_without_verb(const std::vector<std::string>& arguments) {
  const auto misspelt = misspelt_verb(arguments);
  std::string message = misspelt ? "\"" + tools::printable(*misspelt, 80) + "\" is no verb" : "no verb";
  message += "; write what to do:";
  for (const auto& name : verb_names()) message += " " + name;
  throw Refusal(ExitStatus::Usage, message);
}

/// Arguments that no option accepts, in the order in which they were typed, which CLI11 does not keep.
std::string unexpected(const CLI::App& app, const std::vector<std::string>& arguments) {
  auto rest = app.remaining(true);
  std::string text = "not expected:";
  for (const auto& each : arguments) {
    const auto found = std::find(rest.begin(), rest.end(), each);
    if (found == rest.end()) continue;
    rest.erase(found);
    text += " " + each;
  }
  return text;
}

/// CLI11's messages name the option; this adds where to look.
[[noreturn]] void refuse(const CLI::ParseError& error, const CLI::App& app,
                         const std::vector<std::string>& arguments) {
  const auto verbs = app.get_subcommands();
  const bool lacks_verb = verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (lacks_verb) refuse_without_verb(arguments);
  const std::string help = verbs.empty() ? "" : verbs.front()->get_name() + " ";
  const bool has_extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string what = has_extras ? unexpected(app, arguments) : error.what();
  throw Refusal(ExitStatus::Usage, tools::printable(what, kQuoted) + "; see dead-letters " + help + "--help");
}

void add(std::vector<std::string>& words, const char* option, const std::optional<std::string>& value) {
  if (value) words.push_back(std::string(option) + " " + tools::shell_word(*value));
}

}  // namespace

const std::vector<std::string>& verb_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    all.reserve(std::size(kVerbs));
    for (const auto& verb : kVerbs) all.emplace_back(verb.name);
    return all;
  }();
  return names;
}

std::vector<std::string> RawCommandLine::typed_filters() const {
  std::vector<std::string> words;
  add(words, "--type", event_type);
  add(words, "--handler", handler);
  add(words, "--service", service);
  add(words, verb == Verb::Discard ? "--letter-reason" : "--reason", reason);
  add(words, "--fingerprint", fingerprint);
  add(words, "--correlation-id", correlation_id);
  add(words, "--event-id", event_id);
  add(words, "--foreign-id", foreign_id);
  add(words, "--since", since);
  add(words, "--until", until);
  for (const auto& each : attributes) words.push_back("--attribute " + tools::shell_word(each));
  for (const auto& each : where) words.push_back("--where " + tools::shell_word(each));
  return words;
}

std::variant<RawCommandLine, Information> parse_raw(const std::vector<std::string>& arguments) {
  CLI::App app("Dead letters: from the alert to the cause, and from the fix to an empty list.",
               "dead-letters");
  RawCommandLine raw;
  add_globals(app, raw);
  app.set_help_flag("-h,--help", "Print this help");
  app.set_version_flag("-V,--version", std::string(kVersion), "Print the version");
  app.footer(kFooter);
  app.require_subcommand(1);
  for (std::size_t i = 0; i < kVerbs.size(); ++i) {
    CLI::App* verb = app.add_subcommand(kVerbs[i].name, kVerbs[i].description);
    verb->fallthrough();
    verb->footer(std::string("Examples:\n  ") + kVerbs[i].examples +
                 "\n\nTIME, and what works with every verb (--db, --json, --quiet, --no-color):\n"
                 "dead-letters --help\n");
    kVerbs[i].make(*verb, raw);
    verb->callback([&raw, i] { raw.verb = static_cast<Verb>(i); });
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them in reverse
  } catch (const CLI::CallForHelp&) {
    const auto word = misspelt_verb(arguments);
    const auto& known = verb_names();
    if (word && std::find(known.begin(), known.end(), *word) == known.end()) refuse_without_verb(arguments);
    return Information{tools::fit_help(app.help())};
  } catch (const CLI::CallForVersion&) {
    return Information{std::string(kVersion)};
  } catch (const CLI::ParseError& error) {
    refuse(error, app, arguments);
  }
  return raw;
}

}  // namespace tidings::dead_letters
