#include "operations/letter_edit.hpp"

#include "file/sqlite_error.hpp"
#include "letters/audit.hpp"
#include "letters/letter_insert.hpp"
#include "letters/letter_row.hpp"
#include "letters/payload_changes.hpp"
#include "sqlite/stored_time.hpp"
#include "sqlite/write_transaction.hpp"

#include <tidings/payload_cipher.hpp>

#include <string>
#include <utility>

namespace tidings::deadletter {
namespace {

StoredLetter read_editable(Connection& connection, std::int64_t id) {
  SQLite::Statement row(connection.database(), "SELECT " + letter_columns(connection.database()) +
                                                   " FROM dead_letters WHERE id = ?");
  row.bind(1, id);
  const std::string name = "letter " + std::to_string(id);
  if (!row.executeStep()) throw Error(ErrorCode::InvalidArgument, name + " is gone; nothing was edited");
  auto stored = read_letter(row, connection.database());
  if (stored.resolution) {
    throw Error(ErrorCode::InvalidArgument,
                name + " is " + std::string(to_string(*stored.resolution)) + " already; nothing was edited" +
                    (stored.resolution == Resolution::Discarded ? "; undo the discard first" : ""));
  }
  if (stored.is_running()) {
    throw Error(ErrorCode::DatabaseBusy,
                name + " is being delivered right now; try again when that attempt has ended");
  }
  return stored;
}

/// Whether the type of its event is stored encrypted, as far as the letter says.
bool belongs_encrypted(const EncodedData& data) {
  return data.encoding == DataEncoding::Encrypted || data.problem == kUnkeptWithoutKey;
}

/// The new payload as it is to be stored.
EncodedData at_rest(const EncodedData& original, EncodedData data, const PayloadOwner& owner,
                    const PayloadCipher* cipher) {
  if (original.encoding == DataEncoding::Masked) {
    throw Error(ErrorCode::InvalidArgument,
                "the letter cannot be edited, as its type has fields masked in letters (" +
                    printable(original.problem) + "): publish a corrected event; nothing was edited");
  }
  if (!belongs_encrypted(original)) return data;
  if (cipher == nullptr) {
    throw Error(ErrorCode::InvalidArgument,
                "the letter's event type is stored encrypted: give the key file; nothing was edited");
  }
  return cipher->encrypt(data, owner);
}

/// Nothing where the old payload is not there or cannot be read.
Json changes_between(const DeadLetter& original, const Json& payload, const PayloadCipher* cipher) {
  const EncodedData& data = original.data;
  const bool encrypted = belongs_encrypted(data);
  if (data.encoding == DataEncoding::None || (encrypted && cipher == nullptr)) return nullptr;
  try {
    const EncodedData plain =
        data.encoding == DataEncoding::Encrypted
            ? cipher->decrypt(data.bytes, {original.event_type, original.metadata.event_id})
            : data;
    return describe_changes(decode_data(plain.bytes, plain.encoding), payload,
                            encrypted ? ShownValues::None : ShownValues::Masked);
  } catch (const Error&) {
    return nullptr;
  }
}

DeadLetter corrected(const DeadLetter& original, EncodedData data, const PayloadCipher* cipher) {
  DeadLetter letter = original;
  const Timestamp now{std::chrono::microseconds(wall_now())};
  letter.metadata.event_id = uuid_v7_source()->next(now);
  letter.metadata.foreign_id.reset();  // another event than the one that the other system sent
  letter.metadata.causation_id = original.metadata.event_id;
  letter.metadata.causation_depth = original.metadata.causation_depth + 1;
  letter.metadata.published_at = now;
  letter.data =
      at_rest(original.data, std::move(data), {letter.event_type, letter.metadata.event_id}, cipher);
  return letter;
}

void supersede(Connection& connection, const Actor& actor, std::int64_t old_id, std::int64_t new_id) {
  run(connection.database(),
      "UPDATE dead_letters SET reprocessed_at = ?, resolution = 'superseded',"
      " resolution_note = ?, redrive_requested_at = NULL, redrive_id = NULL,"
      " claimed_by = NULL, claimed_until = NULL, redrive_started_at = NULL WHERE id = ?",
      wall_now(), "edited by " + actor.user + "@" + actor.host + ": letter " + std::to_string(new_id),
      old_id);
}

}  // namespace

EditResult edit_letter(Connection& connection, Audit& audit, std::int64_t id, const Json& payload,
                       const PayloadCipher* cipher) {
  EncodedData data = encode_data(payload);
  if (data.encoding == DataEncoding::None) {
    throw Error(ErrorCode::InvalidArgument,
                "the new payload cannot be kept: " + data.problem + "; nothing was edited");
  }
  WriteTransaction transaction(connection);
  const StoredLetter original = read_editable(connection, id);
  const DeadLetter letter = corrected(original.letter, std::move(data), cipher);
  const auto inserted = LetterInsert(connection.database()).insert(letter);
  run(connection.database(), "UPDATE dead_letters SET edited_from = ? WHERE id = ?",
      original.letter.metadata.event_id.to_string(), inserted.id);
  supersede(connection, audit.actor(), id, inserted.id);
  audit.set_note("letter " + std::to_string(inserted.id));
  audit.set_changes(changes_between(original.letter, payload, cipher));
  audit.add(connection.database(), 1);
  transaction.commit();
  return {inserted.id, letter.metadata.event_id};
}

}  // namespace tidings::deadletter
