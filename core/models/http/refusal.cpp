#include "core/models/http/refusal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/ascii.hpp"

namespace theta {
namespace {

/// Parts of the codes of servers that find a prompt too long, letters and digits alone.
constexpr std::array<std::string_view, 16> kLengthCodes = {
    "contextlength",   "contextwindow",        "contextsize",     "contexttoolong",
    "prompttoolong",   "inputtoolong",         "messagetoolong",  "requesttoolarge",
    "payloadtoolarge", "stringabovemaxlength", "stringtoolong",   "tokenslimitreached",
    "maxprompttokens", "maxinputtokens",       "inputtokenlimit", "tokenlimitexceeded"};

/// The same of filters.
constexpr std::array<std::string_view, 14> kFilterCodes = {
    "contentfilter",     "contentpolicy",  "contentblocked",    "contentmoderation",
    "moderationblocked", "datainspection", "responsibleai",     "sensitivecontent",
    "invalidprompt",     "promptblocked",  "prohibitedcontent", "safetyviolation",
    "flaggedinput",      "usagepolicy"};

// A wording is met by words that hold one of the alternatives of each of its groups, in any order;
// `block*` is any word that begins so.

/// A prompt is longer than the window.
constexpr std::array<std::string_view, 3> kWindowWordings = {
    "contextwindowexceedederror",  // LiteLLM
    "maximum context length",
    "context length|window|size|limit "
    "exceed|exceeds|exceeded|exceeding|longer|greater|larger|overflow*|only|too|fit|reached"};

/// A prompt is too long in another way.
constexpr std::array<std::string_view, 8> kLengthWordings = {
    "too long|large|big "
    "prompt|prompts|input|inputs|message|messages|content|text|conversation|query|request|string|"
    "payload|body",
    "too many tokens|characters",
    "length|size|count|tokens|token|characters "
    "exceed|exceeds|exceeded|exceeding|longer|greater|larger "
    "prompt|prompts|input|inputs|message|messages|content|text|conversation|query|request",
    "token limit exceed|exceeds|exceeded",
    "reduce|shorten|shorter prompt|input|inputs|message|messages|text|conversation|request",
    "input length should|must",  // DashScope
    "inputs tokens|token must",  // TGI
    "longer maximum length"};    // vLLM's decoder

/// A filter took a prompt, or what it was answered.
constexpr std::array<std::string_view, 7> kFilterWordings = {
    "contentpolicyviolationerror",  // LiteLLM
    "content filter|filters|filtered|filtering|policy|policies|moderation|inappropriate|unsafe|"
    "prohibited|sensitive|harmful",
    "safety reject*|block*|system|filter*|flagged|reasons|violat*",
    "policy|policies|guidelines violat*|flagged",
    "flagged|moderation|moderated|jailbreak|blocked|blocklist "
    "prompt|prompts|input|inputs|message|messages|content|text",
    "inappropriate|sensitive|harmful|prohibited prompt|input|content|text|words|request",
    "responsible ai"};
/// The same where a status says that something is forbidden, which may be the caller.
constexpr std::array<std::string_view, 1> kFlaggedWordings = {
    "flagged|moderation|moderated prompt|prompts|input|inputs|message|messages"};

/// Parts of the codes of an account that has nothing left.
constexpr std::array<std::string_view, 15> kSpentCodes = {
    "insufficientquota",  "exceededcurrentquota", "insufficientcredit", "insufficientbalance",
    "insufficientfund",   "paymentrequired",      "billinghardlimit",   "billingnotactive",
    "accountdeactivated", "accountnotactive",     "accessterminated",   "arrearage",
    "accountoverdue",     "creditbalancetoolow",  "creditsexhausted"};

/// The same in words.
constexpr std::array<std::string_view, 5> kSpentWordings = {
    "quota exceeded|exhausted|insufficient|used current|billing|plan|monthly|account",
    "credit|credits|balance|funds "
    "insufficient|exhausted|low|negative|used|depleted|enough|out|zero|add|top",
    "billing hard|inactive|overdue|disabled",
    "account deactivated|disabled|suspended|terminated|overdue|arrears",
    "subscription|trial expired|ended|inactive|over"};

/// What an account or a moment has no more of, whatever the prompt.
constexpr std::string_view kQuota =
    "rate|quota|quotas|minute|minutes|hour|hours|day|daily|tpm|rpm|billing|credit|credits|balance|"
    "deadline|timeout|timed|took|plan|concurrent";
/// What is wrong with the form of every request.
constexpr std::string_view kForm =
    "unsupported|unknown|unrecognized|unexpected|permitted|extra_forbidden|deprecated";
constexpr std::string_view kAnswerLimits =
    "max_tokens|max_completion_tokens|max_new_tokens|max_output_tokens|completion";
constexpr std::string_view kOfThePrompt =
    "prompt|input|inputs|message|messages|context|text|conversation";

using ascii::is_digit;
using ascii::lower;

bool of_a_code(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }
bool of_a_word(char c) { return of_a_code(c) || c == '_' || (c & 0x80) != 0; }

/// Calls `use` with each part between separators until it says true.
template <typename Separates, typename Use>
bool any_part(std::string_view text, const Separates& separates, const Use& use) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && !separates(text[end])) ++end;
    if (end > at && use(text.substr(at, end - at))) return true;
    at = end + 1;
  }
  return false;
}

using Words = std::vector<std::string_view>;

/// @param text  in lower case; outlives what is returned
Words words_of(std::string_view text) {
  Words words;
  any_part(
      text, [](char c) { return !of_a_word(c); },
      [&](std::string_view word) {
        words.push_back(word);
        return false;
      });
  return words;
}

/// @param alternatives  `block*|filter`
bool has(const Words& words, std::string_view alternatives) {
  const auto is = [](char separator) { return [separator](char c) { return c == separator; }; };
  return any_part(alternatives, is('|'), [&](std::string_view wanted) {
    const bool open = wanted.ends_with('*');
    if (open) wanted.remove_suffix(1);
    return std::ranges::any_of(words, [&](std::string_view word) {
      return open ? word.starts_with(wanted) : word == wanted;
    });
  });
}

bool says(const Words& words, std::span<const std::string_view> wordings) {
  return std::ranges::any_of(wordings, [&](std::string_view wording) {
    return !any_part(
        wording, [](char c) { return c == ' '; },
        [&](std::string_view group) { return !has(words, group); });
  });
}

bool holds(std::string_view text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts,
                             [&](std::string_view part) { return text.find(part) != text.npos; });
}

/// Whether a field is none of those that hold the prompt.
bool is_another_field(std::string_view field) {
  constexpr std::array<std::string_view, 5> kHold = {"message", "prompt", "input", "content",
                                                     "text"};
  constexpr std::array<std::string_view, 4> kHoldNone = {"max_", "logprob", "cache", "type"};
  return !field.empty() && (!holds(field, kHold) || holds(field, kHoldNone));
}

/// The field that the words name: `Invalid 'stop': ..`.
std::string_view field_in(std::string_view message) {
  for (const std::string_view before : {"invalid '", "invalid `", "parameter '", "parameter `",
                                        "parameter: '", "field '", "field `", "argument '"}) {
    const std::size_t at = message.find(before);
    if (at == message.npos) continue;
    const std::string_view rest = message.substr(at + before.size());
    return rest.substr(0, rest.find_first_of("'`"));
  }
  return {};
}

/// The window that a message tells; 0 where it tells none.
std::int64_t window_in(std::string_view message) {
  for (const std::string_view before :
       {"context length is ", "context length of ", "context window is ", "context window of ",
        "context size is ", "context size of "}) {
    std::size_t at = message.find(before);
    if (at == message.npos) continue;
    at = message.find_first_of("0123456789", at + before.size());
    std::int64_t window = 0;
    for (; at < message.size() && window < 1'000'000'000; ++at) {
      if (is_digit(message[at]))
        window = 10 * window + (message[at] - '0');
      else if (message[at] != ',')
        break;
    }
    return window;
  }
  return 0;
}

/// The code in letters and digits alone.
std::string code_letters(const ServerError& error) {
  std::string code = lower(error.code);
  std::erase_if(code, [](char c) { return !of_a_code(c); });
  return code;
}

}  // namespace

bool is_for_good(const ServerError& error) {
  const std::string code = code_letters(error);
  if (holds(code, kSpentCodes)) return true;
  if (error.retry_after_s || (error.status != 429 && error.status < 500)) return false;
  const std::string message = lower(error.message);
  const Words words = words_of(message);
  return !has(words, "minute|minutes|rpm|tpm|second") && says(words, kSpentWordings);
}

bool refuses_prompt(const ServerError& error, int max_tokens) {
  const int status = error.status;
  if (status == 413 || status == 414 || status == 431) return true;
  // Of the caller, the address or the moment.
  for (const int other : {401, 402, 404, 405, 407, 408, 409, 410, 425, 426, 429})
    if (status == other) return false;
  const bool outage = status >= 500;

  const std::string message = lower(error.message);
  const std::int64_t window = window_in(message);
  if (window > 0 && max_tokens >= window) return false;

  const std::string code = code_letters(error);
  if (holds(code, kLengthCodes) || (!outage && holds(code, kFilterCodes))) return true;

  // A page of something between the server and us.
  if (message.starts_with("<!") || message.starts_with("<html")) return false;
  const Words words = words_of(message);
  if (has(words, kQuota)) return false;
  if (says(words, kWindowWordings)) return true;
  if (outage) return false;
  // vLLM subtracts what the prompt takes from the window.
  if (message.find("max_tokens must be at least 1, got -") != message.npos) return true;
  if (is_another_field(lower(error.field)) || is_another_field(field_in(message))) return false;
  if (has(words, kForm)) return false;
  if (status == 403) return says(words, kFlaggedWordings);
  if (says(words, kFilterWordings)) return true;
  if (has(words, kAnswerLimits) && !has(words, kOfThePrompt)) return false;
  return says(words, kLengthWordings);
}

}  // namespace theta
