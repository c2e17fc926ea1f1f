#include "telemetry/exporter_fixture.hpp"

#include <gmock/gmock.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

// Receivers that prove who they are, and want to know who the exporter is.

namespace tidings::telemetry {
namespace {

using ::testing::HasSubstr;

/// A key, and a certificate for 127.0.0.1 that it has signed itself; both as files, too.
class Identity {
 public:
  explicit Identity(const std::string& name)
      : certificate_file(::testing::TempDir() + name + std::to_string(::getpid()) + ".pem"),
        key_file(::testing::TempDir() + name + std::to_string(::getpid()) + ".key") {
    X509* const made = certificate.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -3'600);
    X509_gmtime_adj(X509_getm_notAfter(made), 3'600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    X509_set_pubkey(made, key.get());
    X509_EXTENSION* const address =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(made, address, -1);
    X509_EXTENSION_free(address);
    EXPECT_GT(X509_sign(made, key.get(), EVP_sha256()), 0);
    write_files();
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  ~Identity() {
    std::filesystem::remove(certificate_file);
    std::filesystem::remove(key_file);
  }

  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), X509_free};
  const std::string certificate_file;
  const std::string key_file;

 private:
  void write_files() const {
    std::FILE* const pem = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(pem, certificate.get());
    std::fclose(pem);
    std::FILE* const secret = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(secret, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(secret);
  }
};

/// With `client`, only that client is welcome.
class TlsReceiver {
 public:
  TlsReceiver(const Identity& own, const Identity* client)
      : server_(own.certificate.get(), own.key.get(), client == nullptr ? nullptr : store_of(*client)) {
    server_.Post(".*", [this](const httplib::Request&, httplib::Response&) { ++requests; });
    server_.set_keep_alive_timeout(1);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  TlsReceiver(const TlsReceiver&) = delete;
  TlsReceiver& operator=(const TlsReceiver&) = delete;
  ~TlsReceiver() {
    server_.stop();
    thread_.join();
  }

  [[nodiscard]] std::string url() const {
    return "https://127.0.0.1:" + std::to_string(port_) + "/v1/traces";
  }

  std::atomic<int> requests{0};

 private:
  static X509_STORE* store_of(const Identity& identity) {  // which the server owns
    X509_STORE* const store = X509_STORE_new();
    X509_STORE_add_cert(store, identity.certificate.get());
    return store;
  }

  httplib::SSLServer server_;
  int port_ = 0;
  std::thread thread_;
};

class TlsTest : public ExporterTest {
 protected:
  /// What becomes of one span.
  void send_to(const TlsReceiver& receiver, const Endpoint& settings) {
    ExporterOptions with_tls = options();
    with_tls.traces = settings;
    with_tls.traces.url = receiver.url();
    with_tls.span_batches.batch = 1;
    with_tls.span_batches.give_up_after = std::chrono::milliseconds(1);
    Exporter exporter(std::move(with_tls));
    exporter.add(span("s"));
    await_idle();
    sent_ = exporter.sent(ExportSignal::Traces);
    lost_ = exporter.dropped();
  }

  const Identity server_{"receiver"};
  const Identity client_{"exporter"};
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
};

TEST_F(TlsTest, AReceiverThatNobodyVouchesForGetsNothing) {
  const TlsReceiver receiver(server_, nullptr);
  send_to(receiver, {});
  EXPECT_EQ(lost_, 1U);
  EXPECT_EQ(receiver.requests, 0);
  EXPECT_THAT(capture_.only("telemetry_lost").at("problem").get<std::string>(), HasSubstr("certificate"));
}

TEST_F(TlsTest, AReceiverIsTrustedWhoseCertificateIsNamed) {
  const TlsReceiver receiver(server_, nullptr);
  send_to(receiver, {.certificate = server_.certificate_file});
  EXPECT_EQ(sent_, 1U);
}

TEST_F(TlsTest, TheExporterShowsItsOwnCertificate) {
  const TlsReceiver receiver(server_, &client_);
  send_to(receiver, {.certificate = server_.certificate_file});
  EXPECT_EQ(lost_, 1U);
  send_to(receiver, {.certificate = server_.certificate_file,
                     .client_certificate = client_.certificate_file,
                     .client_key = client_.key_file});
  EXPECT_EQ(sent_, 1U);
  EXPECT_EQ(receiver.requests, 1);
}

TEST_F(TlsTest, ACertificateThatIsNotThereIsAProblem) {
  const TlsReceiver receiver(server_, nullptr);
  send_to(receiver, {.certificate = "/nonexistent.pem"});
  EXPECT_EQ(lost_, 1U);
  EXPECT_THAT(capture_.only("telemetry_lost").at("problem").get<std::string>(),
              HasSubstr("/nonexistent.pem"));
}

}  // namespace
}  // namespace tidings::telemetry
