#include "experiments/runs/row_prompt.hpp"

#include "experiments/runs/run_record.hpp"

namespace theta {

static std::string part_of(const std::string& method, const std::string& model) {
  return "prompt of " + method + ", " + model;
}

void put_row_prompt(Store& store, const std::string& method, const std::string& model,
                    const std::string& prompt) {
  const std::string name = part_of(method, model);
  put(store, RecordPart<std::string>{name}, prompt);
}

std::optional<std::string> row_prompt(const Store& store, const std::string& method,
                                      const std::string& model) {
  const std::string name = part_of(method, model);
  return find(store, RecordPart<std::string>{name});
}

}  // namespace theta
