#include "sending/http_client.hpp"

#include <tidings/version.hpp>

#include <curl/curl.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <string>

namespace tidings::telemetry {
namespace {

constexpr std::size_t kMostOfBody = 64 * 1024;
constexpr std::size_t kMostOfHeader = 128;
/// How long libcurl waits for its sockets before it is called again; cancel() ends the wait.
constexpr int kPollMilliseconds = 1'000;

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
};
using HeaderLines = std::unique_ptr<curl_slist, ListDeleter>;

void add_line(HeaderLines& lines, const std::string& line) {
  curl_slist* const longer = ::curl_slist_append(lines.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(lines.release());
  lines.reset(longer);
}

HeaderLines header_lines(const Endpoint& to) {
  HeaderLines lines;
  add_line(lines, to.protocol == Protocol::HttpJson ? "Content-Type: application/json"
                                                    : "Content-Type: application/x-protobuf");
  if (to.compression == Compression::Gzip) add_line(lines, "Content-Encoding: gzip");
  add_line(lines, "Expect:");  // no request of its own for a large body
  for (const auto& [name, value] : to.headers) {
    std::string line = name;
    // One with nothing behind the colon would be taken for one to leave out.
    line.append(value.empty() ? ";" : ": ").append(value);
    add_line(lines, line);
  }
  return lines;
}

/// A child that the application starts is not to have the connection.
int close_on_exec(void* /*nothing*/, curl_socket_t socket, curlsocktype /*purpose*/) noexcept {
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

/// libcurl names a proxy that it cannot use as it was given: what stands before its `@` goes.
std::string without_credentials(std::string message) {
  const std::size_t at = message.rfind('@');
  if (at == std::string::npos) return message;
  const std::size_t begin = message.find_last_of(" '\"", at) + 1;  // 0 if there is none
  return message.replace(begin, at - begin, "[redacted]");
}

std::size_t keep_body(const char* bytes, std::size_t size, std::size_t count, void* response) noexcept {
  std::string& body = static_cast<HttpResponse*>(response)->body;
  try {
    body.append(bytes, std::min(size * count, kMostOfBody - body.size()));
  } catch (const std::bad_alloc&) {
    return 0;  // which ends the request
  }
  return size * count;
}

std::size_t keep_retry_after(const char* bytes, std::size_t size, std::size_t count,
                             void* response) noexcept {
  constexpr std::string_view kName = "retry-after:";
  const std::string_view line(bytes, size * count);
  const bool is_it = line.size() > kName.size() && line.size() < kMostOfHeader &&
                     std::equal(kName.begin(), kName.end(), line.begin(), [](char name, char c) {
                       return name == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
                     });
  try {
    if (is_it) static_cast<HttpResponse*>(response)->retry_after = line.substr(kName.size());
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return line.size();
}

/// libcurl's state of the process; never given back, since others may use libcurl, too.
void initialise_curl() {
  static const CURLcode result = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw std::bad_alloc();
}

}  // namespace

struct HttpClient::Handles {
  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    if (easy != nullptr) ::curl_easy_cleanup(easy);
    if (multi != nullptr) ::curl_multi_cleanup(multi);
  }

  void set_up(const Endpoint& to, std::string_view body, curl_slist* headers, HttpResponse& response) {
    ::curl_easy_reset(easy);
    error[0] = '\0';
    ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error.data());
    ::curl_easy_setopt(easy, CURLOPT_URL, to.url.c_str());
    ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &close_on_exec);
    ::curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a cancelled look-up of a name is not waited for
    ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(to.timeout.count()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    ::curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent.c_str());
    ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
    ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &response);
    ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, keep_retry_after);
    ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &response);
    set_file(CURLOPT_CAINFO, to.certificate);
    set_file(CURLOPT_SSLCERT, to.client_certificate);
    set_file(CURLOPT_SSLKEY, to.client_key);
  }
  void set_file(CURLoption option, const std::string& path) {
    if (!path.empty()) ::curl_easy_setopt(easy, option, path.c_str());
  }

  /// Nothing if it was cancelled before it had ended.
  std::optional<CURLcode> perform(const std::atomic<bool>& cancelled) {
    ::curl_multi_add_handle(multi, easy);
    std::optional<CURLcode> result;
    int running = 1;
    while (running > 0 && !cancelled.load()) {
      if (::curl_multi_perform(multi, &running) != CURLM_OK) break;
      if (running > 0) ::curl_multi_poll(multi, nullptr, 0, kPollMilliseconds, nullptr);
    }
    int left = 0;
    while (const CURLMsg* const message = ::curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) result = message->data.result;
    }
    ::curl_multi_remove_handle(multi, easy);
    return result;
  }

  CURLM* const multi = ::curl_multi_init();
  CURL* const easy = ::curl_easy_init();
  std::array<char, CURL_ERROR_SIZE> error{};
  const std::string user_agent = "OTel-OTLP-Exporter-tidings/" + std::string(version());
};

HttpClient::HttpClient() {
  initialise_curl();
  handles_ = std::make_unique<Handles>();
  if (handles_->multi == nullptr || handles_->easy == nullptr) throw std::bad_alloc();
}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::post(const Endpoint& to, std::string_view body) {
  HttpResponse response;
  const HeaderLines lines = header_lines(to);
  handles_->set_up(to, body, lines.get(), response);
  const std::optional<CURLcode> result = handles_->perform(cancelled_);
  if (result == CURLE_OK) {
    ::curl_easy_getinfo(handles_->easy, CURLINFO_RESPONSE_CODE, &response.status);
  } else if (!result) {
    response.problem = "it was given up, because the exporter stops";
  } else {
    const char* const said = handles_->error.data();
    response.problem = without_credentials(*said != '\0' ? said : ::curl_easy_strerror(*result));
  }
  return response;
}

void HttpClient::cancel() noexcept {
  cancelled_.store(true);
  ::curl_multi_wakeup(handles_->multi);
}

}  // namespace tidings::telemetry
