#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// A value of a config that may name environment variables.
struct Written {
  std::string shown = {};  ///< as it stands there, `Bearer ${TOKEN}`: what files and messages hold
  std::string sent = {};   ///< with what the variables hold, which may be a secret
  std::vector<std::string> secrets = {};  ///< what the variables hold
  bool operator==(const Written&) const = default;
};

/// What becomes of one field of a request.
struct FieldForm {
  std::string name;                             ///< Theta's own, or one that only the config names
  bool dropped = false;                         ///< it is not sent
  std::string sent_as = {};                     ///< under this name; empty: under its own
  std::optional<Written> json = {};             ///< with this value; none: with Theta's
  std::optional<double> least = {}, most = {};  ///< a number is raised or lowered to it
  bool operator==(const FieldForm&) const = default;
};

/// How the requests to a model differ from the usual ones: by its config, and by what its servers
/// were found to refuse.
struct RequestForm {
  std::vector<FieldForm> fields;
  bool system_role = true;    ///< false: what a system message says begins the next user message
  bool begun_answers = true;  ///< false: the messages never end with the beginning of an answer

  /// The field of that name; null: it is as usual.
  const FieldForm* find(std::string_view name) const {
    for (const FieldForm& field : fields)
      if (field.name == name) return &field;
    return nullptr;
  }
  FieldForm& at(std::string_view name) {
    for (FieldForm& field : fields)
      if (field.name == name) return field;
    return fields.emplace_back(FieldForm{.name = std::string(name)});
  }
  /// Whether a field goes out with the value that Theta gives it, if under another name.
  bool sends(std::string_view name) const {
    const FieldForm* field = find(name);
    return field == nullptr || !(field->dropped || field->json);
  }
  bool operator==(const RequestForm&) const = default;
};

}  // namespace theta
