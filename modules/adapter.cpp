#include "modules/adapter.hpp"

#include <string>

namespace theta {

std::unique_ptr<Adapter> make_adapter(std::string_view name) {
  if (name == "chat") return make_chat_adapter();
  if (name == "json") return make_json_adapter();
  if (name == "terse") return make_terse_adapter();
  throw UserError("unknown adapter '" + std::string(name) + "'; there are chat, json and terse");
}

}  // namespace theta
