#include "experiments/runs/remarks.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace theta {

bool add_remark(Store& store, const std::string& about, const std::string& rest) {
  std::vector<std::string> remarks = nlohmann::json::parse(store.meta("remarks").value_or("[]"));
  const std::string line = about + rest;
  if (std::ranges::find(remarks, line) != remarks.end()) return false;
  const auto earlier = std::ranges::find_if(
      remarks, [&](const std::string& one) { return !rest.empty() && one.starts_with(about); });
  if (earlier == remarks.end())
    remarks.push_back(line);
  else
    *earlier = line;
  store.set_meta("remarks", nlohmann::json(remarks).dump(-1, ' ', false,
                                                         nlohmann::json::error_handler_t::replace));
  return true;
}

}  // namespace theta
