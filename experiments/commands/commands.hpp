#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "experiments/commands/command.hpp"
#include "experiments/runs/experiment.hpp"

namespace theta {

// One command a file, named as it is called.

std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_fork_command();
std::unique_ptr<Command> make_headroom_command();
std::unique_ptr<Command> make_sweep_command();
std::unique_ptr<Command> make_status_command();
std::unique_ptr<Command> make_ping_command();
std::unique_ptr<Command> make_check_command();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_why_command();
std::unique_ptr<Command> make_view_command();
std::unique_ptr<Command> make_replay_command();
std::unique_ptr<Command> make_record_command();  ///< `replay --record`
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_predict_command();
std::unique_ptr<Command> make_show_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_import_command();
std::unique_ptr<Command> make_data_stats_command();
std::unique_ptr<Command> make_data_build_command();
std::unique_ptr<Command> make_persona_fit_command();
std::unique_ptr<Command> make_persona_judge_command();
std::unique_ptr<Command> make_persona_prompt_command();
std::unique_ptr<Command> make_persona_ask_command();
std::unique_ptr<Command> make_persona_forget_command();

/// `theta check`: reads configs strictly and looks, see verify(), at what they name: a line for
/// each that `theta run` would refuse; of the others the name, and the hash in their folders' names
/// where it costs little.
/// @param sets         `key.path=value`
/// @param config_only  opens no file that a config names, and reads no variable
/// @return how many are refused.
int check_configs(const std::vector<std::filesystem::path>& configs,
                  const std::vector<std::string>& sets, bool config_only = false);

/// Runs an experiment, whose files were looked at, in its folder, and prints what came of it.
/// @param out     the folder; empty: runs/NAME-HASH
/// @param before  is given the folder before anything is done in it; may be empty
/// @return the exit code   @throws as run_in_folder()
int run_and_print(const Config& config, const ExperimentOptions& options,
                  const std::filesystem::path& out, const Command::Host& host,
                  const std::function<void(const std::filesystem::path& folder)>& before = {});

/// Prints a report's table and where the page is.
void print_report(const std::string& table, const std::filesystem::path& folder);

}  // namespace theta
