#include "modules/adapter.hpp"

#include <string>

namespace theta {

std::shared_ptr<const Adapter> make_adapter(const Format& format) {
  if (format.own_adapter) return format.own_adapter;
  if (format.adapter == "terse")
    return make_terse_adapter(format.list_options, format.instruction_place);
  if (format.adapter != "chat" && format.adapter != "json")
    throw UserError("unknown adapter '" + format.adapter + "'; there are chat, json and terse");
  if (!format.list_options)
    throw UserError(
        "options can be hidden by the terse adapter alone: DSPy's, chat and json, "
        "list them");
  if (format.instruction_place != InstructionPlace::kBefore)
    throw UserError(
        "the instruction can stand elsewhere with the terse adapter alone: DSPy's, chat and json, "
        "have it in the system's message");
  if (format.adapter == "chat") return make_chat_adapter();
  return make_json_adapter();
}

}  // namespace theta
