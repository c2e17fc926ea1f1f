#pragma once

#include "row.hpp"

#include <vector>

namespace tidings::bench {

// One function for each file of rows.
void add_dispatch_rows(std::vector<Measurement>& measurements);
void add_scaling_rows(std::vector<Measurement>& measurements);
void add_breadth_rows(std::vector<Measurement>& measurements);
void add_allocation_rows(std::vector<Measurement>& measurements);
void add_queue_rows(std::vector<Measurement>& measurements);
void add_letter_rows(std::vector<Measurement>& measurements);
void add_failure_rows(std::vector<Measurement>& measurements);
void add_durable_rows(std::vector<Measurement>& measurements);
void add_recovery_rows(std::vector<Measurement>& measurements);
void add_tool_rows(std::vector<Measurement>& measurements);
void add_record_rows(std::vector<Measurement>& measurements);
void add_storm_rows(std::vector<Measurement>& measurements);
void add_telemetry_rows(std::vector<Measurement>& measurements);
void add_outage_rows(std::vector<Measurement>& measurements);
void add_idle_rows(std::vector<Measurement>& measurements);
void add_footprint_rows(std::vector<Measurement>& measurements);
void add_compile_time_rows(std::vector<Measurement>& measurements);

}  // namespace tidings::bench
