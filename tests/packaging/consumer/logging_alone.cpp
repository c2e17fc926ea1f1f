#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>

int main() {
  tidings::logging::Capture capture;
  capture.logger().info("import_finished", {{"rows", 42}});
  return capture.only("import_finished").at("rows") == 42 ? 0 : 1;
}
