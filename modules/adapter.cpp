#include "modules/adapter.hpp"

#include <string>

namespace theta {

std::unique_ptr<Adapter> make_adapter(std::string_view name, bool list_options) {
  if (name == "terse") return make_terse_adapter(list_options);
  if (!list_options)
    throw UserError(
        "options can be hidden by the terse adapter alone: DSPy's, chat and json, "
        "list them");
  if (name == "chat") return make_chat_adapter();
  if (name == "json") return make_json_adapter();
  throw UserError("unknown adapter '" + std::string(name) + "'; there are chat, json and terse");
}

}  // namespace theta
