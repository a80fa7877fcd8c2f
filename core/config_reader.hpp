#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/config_node.hpp"

namespace theta {

/// The tree of a YAML or JSON text.
/// @param name       the file; or, if `has_lines` is false, what stands for it and its lines in
///   messages
/// @throws UserError at the first character that cannot be read.
std::shared_ptr<ConfigNode> read_config(std::string_view text, std::string name,
                                        bool has_lines = true);

}  // namespace theta
