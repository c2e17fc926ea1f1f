// C++ keeps no stack of what was thrown: at the catch it is gone. An exception type of the application's own
// can keep it, and one wrapper around handlers binds it, so that the records of the failure and the letter
// have it.
#include <tidings/bus.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/memory_letter_sink.hpp>

#include <execinfo.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

struct PaymentDue {
  static constexpr std::string_view event_type = "billing.payment_due";
  int invoice{};
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(PaymentDue, invoice)
};

// Keeps the return addresses of where it is made, which costs some microseconds; their names are looked up
// when somebody asks.
class TracedError : public std::runtime_error {
 public:
  explicit TracedError(const std::string& what) : std::runtime_error(what) {
    depth_ = ::backtrace(addresses_.data(), static_cast<int>(addresses_.size()));
  }

  // Innermost first, in one line. What is bound has 4 KiB in all: whole frames are left out, and the end says
  // so.
  std::string stack(std::size_t max_bytes = 3000) const {
    const std::unique_ptr<char*, decltype(&std::free)> names(::backtrace_symbols(addresses_.data(), depth_),
                                                             &std::free);
    std::string text;
    for (int frame = 1; names && frame < depth_; ++frame) {  // 0 is this class
      const std::string name = names.get()[frame];
      if (text.size() + name.size() > max_bytes)
        return text + " ... " + std::to_string(depth_ - frame) + " frames more";
      text += (text.empty() ? "" : " < ") + name;
    }
    return text;
  }

 private:
  std::array<void*, 64> addresses_{};
  int depth_ = 0;
};

// A handler whose traced errors show their stack.
template <class Event, class Handler>
auto with_stack(Handler handler) {
  return [handler = std::move(handler)](const Event& event, const tidings::EventContext& context) {
    try {
      handler(event);
    } catch (const TracedError& error) {
      try {
        context.bind("stack", error.stack());
      } catch (const tidings::Error&) {  // no room among the bound fields
      }
      throw;
    }
  };
}

// The linker gives its name away (-rdynamic); addr2line finds those of other functions, and the lines.
[[gnu::noinline]] void charge(const PaymentDue& due) {
  if (due.invoice == 7) throw TracedError("no account to charge");
}

namespace {

void tell(const char* who, const std::string& stack) {
  std::cout << who << (stack.find("charge") == std::string::npos ? " does not know" : " knows") << " where\n";
}

}  // namespace

int main() {
  const tidings::logging::Capture capture;  // in the place of a log file
  const auto letters = std::make_shared<tidings::MemoryLetterSink>();
  tidings::Bus bus{{.service = "billing", .store = letters, .logger = capture.logger()}};
  auto charging =
      bus.subscribe<PaymentDue>("charge", with_stack<PaymentDue>(&charge), {.retry = {.max_attempts = 1}});
  bus.publish(PaymentDue{.invoice = 7});

  for (const char* record : {"handler_failed", "handler_exhausted_retries"})
    tell(record, capture.only(record).value("stack", ""));
  const auto* const kept = letters->letters().at(0).attempts.at(0).fields.find("stack");
  tell("the letter's attempt", kept == nullptr ? "" : kept->to_json().get<std::string>());
}
