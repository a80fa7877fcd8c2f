// Any bytes as a model's answer: read or refused, and what is read survives being written and read
// again. Any bytes as a value: every field of the prompt is opened exactly once.

#include <algorithm>
#include <cstdint>

#include "modules/adapter.hpp"
#include "modules/text.hpp"

namespace {

using namespace theta;

const Signature& signature() {
  static const Signature judge = Signature::parse(
      "context, first -> reasoning, n: int, x: float, ok: bool, tags: list[str], "
      "preference: Literal['First', 'Second']");
  return judge;
}

std::string written(const Adapter& adapter, const Record& outputs) {
  const std::size_t last = signature().outputs.size() - 1;
  const bool first = outputs.text("preference") == "First";
  return adapter.answer_prefix(signature(), outputs, last) +
         adapter.options(signature(), last)[first ? 0 : 1] + (adapter.name() == "json" ? "}" : "");
}

void check_answer(const Adapter& adapter, std::string_view answer) {
  const auto parsed = adapter.parse(signature(), answer);
  if (!parsed) return;
  // The first writing may break markers and join lines; the second changes nothing.
  const auto again = adapter.parse(signature(), written(adapter, *parsed));
  require(static_cast<bool>(again), "an adapter reads what it writes");
  const auto third = adapter.parse(signature(), written(adapter, *again));
  require(third && *third == *again, "an adapter reads back what it writes");
}

void check_value(const Adapter& adapter, const std::string& value) {
  const Record inputs = {{"context", value}, {"first", std::vector<std::string>{value, value}}};
  const std::string prompt = adapter.format(signature(), {}, inputs).back().content;
  for (const auto* fields : {&signature().inputs, &signature().outputs}) {
    for (const Field& field : *fields) {
      const std::string open =
          adapter.name() == "terse" ? field.prefix : "[[ ## " + field.name + " ## ]]";
      const auto opened = std::ranges::count_if(
          split_lines(prompt), [&](std::string_view line) { return line.starts_with(open); });
      require(opened == (fields == &signature().inputs ? 1 : 0), "a value opens no field");
      const std::string defused = adapter.defused(signature(), value);
      require(std::ranges::none_of(split_lines(defused),
                                   [&](std::string_view line) { return line.starts_with(open); }),
              "a text in an instruction opens no field");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"chat", "json", "terse"}) {
    const auto adapter = make_adapter({.adapter = name});
    check_answer(*adapter, text);
    check_value(*adapter, text);
  }
  return 0;
}
