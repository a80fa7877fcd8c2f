#include "experiments/commands/options.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/result.hpp"

namespace theta::option {

namespace po = boost::program_options;

bool DryRunArguments::wanted() const {
  if (rate > 0 && !asked) throw UserError("--rate tells the hours of a --dry-run: give both");
  return asked;
}

Texts* texts(std::vector<std::string>& out, const char* shown) {
  return po::value(&out)->composing()->value_name(shown);
}

Text* text(std::string& out, const char* shown) { return po::value(&out)->value_name(shown); }

Flag* flag(bool& out) { return po::bool_switch(&out); }

Number* number(std::int64_t& out, const char* shown, const char* option, std::int64_t least) {
  return po::value(&out)->value_name(shown)->notifier([=](std::int64_t value) {
    if (value < least)
      throw UserError(fmt::format("--{} must be at least {}, not {}", option, least, value));
  });
}

Real* share(double& out, const char* shown, const char* option) {
  return po::value(&out)->value_name(shown)->notifier([=](double value) {
    if (!(value >= 0 && value < 1))
      throw UserError(fmt::format("--{} must be in [0, 1), not {}", option, value));
  });
}

Real* positive(double& out, const char* shown, const char* option) {
  return po::value(&out)->value_name(shown)->notifier([=](double value) {
    if (!(value > 0 && std::isfinite(value)))
      throw UserError(fmt::format("--{} must be above 0, not {}", option, value));
  });
}

void dry_run(po::options_description& options, DryRunArguments& out) {
  options.add_options()("dry-run", flag(out.asked),
                        "prints the calls, tokens and money that it will need, and spends nothing")(
      "rate", positive(out.rate, "N", "rate"),
      "with --dry-run: prints the hours too, where the models answer N calls a second");
}

void sets(po::options_description& options, std::vector<std::string>& out) {
  options.add_options()("set", texts(out, "key=value"),
                        "gives a value of the config, a text or YAML: "
                        "--set models.teacher.threads=4");
}

void saved(po::options_description& options, PromptArguments& out, const std::string& kept) {
  options.add_options()("set", texts(out.sets, "model.key=value"),
                        "gives a value of what the prompt says of its model, program or metric")(
      "allow-host", texts(out.allowed_hosts, "HOST"),
      "a server beyond this machine that the prompt may name")(
      "cache", text(out.cache, "FILE"), ("keeps the answers there (default " + kept + ")").c_str());
}

void prompt(po::options_description& options, PromptArguments& out) {
  options.add_options()("field", texts(out.columns, "input=column"),
                        "the column that a field is read from")(
      "rows", text(out.rows, "PATH"), "the path to the rows in a .json file");
  saved(options, out, "answers.db beside a prompt in its run's folder");
}

void person(po::options_description& options, PromptArguments& out) {
  out.of_person = true;
  saved(options, out, "nowhere");
}

}  // namespace theta::option
