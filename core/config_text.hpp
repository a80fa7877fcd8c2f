#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/config_node.hpp"

namespace theta {

// What the texts of a config mean, and how they are written.

bool is_digits(std::string_view text);

/// The value of a variable, which may have a default.
using ValueOf =
    std::function<std::string(const std::string& name, const std::optional<std::string>& fallback)>;
/// `text` with `value_of(NAME, default)` in place of every `${NAME}` and `${NAME:-default}`.
/// @throws UserError at `position`
std::string replace_variables(const std::string& text, const Position& position,
                              const ValueOf& value_of);
/// With the values of the environment.
std::string expand(const std::string& text, const Position& position);
/// A text as expand() reads it back.
std::string escaped(const std::string& text);

/// A decimal number by YAML 1.2's core schema; nullopt for any other spelling.
std::optional<std::int64_t> read_integer(std::string_view text, bool& out_of_range);
std::optional<double> read_double(std::string_view text, bool& out_of_range);
/// `true`, `True` or `TRUE`, and the same of false, as that schema has them.
std::optional<bool> read_boolean(std::string_view text);
/// @param plain  a text without quotes: may be a number or a boolean
nlohmann::json scalar_json(const std::string& text, bool plain);

/// As YAML.
std::string dump_node(const ConfigNode& node, const std::string& indent);

}  // namespace theta
