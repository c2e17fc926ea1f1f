// A payload that is stored encrypted: in the journal, and in the letter that it becomes.
#include <tidings/bus.hpp>
#include <tidings/deadletter/reader.hpp>
#include <tidings/deadletter/store.hpp>
#include <tidings/encryption/file_cipher.hpp>

#include <filesystem>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

struct CardCharged {
  static constexpr std::string_view event_type = "shop.card_charged";
  static constexpr bool encrypt_payload = true;
  std::string number{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CardCharged, number)
};

/// A customer is recognised in letters, and where they live is not in them.
struct CustomerMoved {
  static constexpr std::string_view event_type = "shop.customer_moved";
  static constexpr std::array<std::string_view, 1> masked_fields = {"/street"};
  static constexpr std::array<std::string_view, 1> hashed_fields = {"/customer"};
  std::string customer{};
  std::string street{};
  std::string city{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(CustomerMoved, customer, street, city)
};

void print_letters(const std::filesystem::path& database) {
  for (const auto& stored :
       tidings::deadletter::Reader::open(database).list({.resolved = false}, 10).letters) {
    const tidings::EncodedData& data = stored.letter.data;
    const bool encrypted = data.encoding == tidings::DataEncoding::Encrypted;
    std::cout << stored.letter.event_type << ": " << (encrypted ? "encrypted" : data.problem) << '\n';
  }
}

int main(int argc, char** argv) {
  const std::filesystem::path database = argc > 1 ? argv[1] : "shop.db";
  const std::filesystem::path keys = database.native() + ".keys";
  // Once, by hand: dead-letters new-key FILE. A service has open_from_environment(), for TIDINGS_KEY_FILE.
  if (!std::filesystem::exists(keys)) tidings::encryption::create_key_file(keys);

  auto store = tidings::deadletter::Store::open(
      database, {.encryption = {.cipher = tidings::encryption::FileCipher::open(keys)}});
  tidings::Bus bus{{.service = "shop", .store = store, .durability = tidings::Durability::ProcessCrash}};
  bool broken = true;
  auto charge = bus.subscribe<CardCharged>("charge", [&](const CardCharged& card) {
    if (broken) throw std::runtime_error("the bank is closed");
    std::cout << "charged the card that ends with " << card.number.substr(card.number.size() - 4) << '\n';
  });
  auto move = bus.subscribe<CustomerMoved>(
      "move", [](const CustomerMoved&) { throw tidings::Permanent("no such street"); });
  bus.publish(CustomerMoved{"Ann", "Elm Street", "Springwood"});
  bus.publish(CardCharged{"4111111111111111"});
  print_letters(database);

  broken = false;
  bus.redrive({.event_type = "shop.card_charged"});
  return bus.wait_idle(30s) ? 0 : 1;
}
