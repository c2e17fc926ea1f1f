// What the blocks of docs/logging.md take for granted.
#include <gtest/gtest.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <tidings/bus.hpp>
#include <tidings/logging/ambient_fields.hpp>
#include <tidings/logging/capture.hpp>
#include <tidings/logging/logger.hpp>
#include <tidings/logging/redactor.hpp>
#include <tidings/logging/sampling.hpp>
#include <tidings/logging/timing_block.hpp>

#include <memory>
#include <string>
#include <thread>

namespace document {

using namespace tidings;
using namespace tidings::logging;

extern const Logger log;
extern const std::string path;
extern const std::string request_id;
extern const std::string host;
extern const int rows;
void work();
int import(const std::string& file);
void let_a_handler_fail(Bus& bus);
