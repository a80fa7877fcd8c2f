#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/models/http/refusal.hpp"
#include "core/models/http/sent_json.hpp"

namespace theta {

/// What a server says in place of an answer: an object of its own, or one in a list, with the words
/// in `error.message`, `error`, `message`, `detail` or wherever else words stand. The message never
/// is JSON: what JSON it quotes is read in its turn.
/// @param json  of `body`, an error where it is none
ServerError server_error(int status, Sent json, std::string_view body);
ServerError server_error(int status, std::string_view body);

/// The status that an error inside of a 200 stands for, if it says one: by a number, or by the name
/// that one of the usual servers has for it.
std::optional<int> status_within(const ServerError& error);

}  // namespace theta
