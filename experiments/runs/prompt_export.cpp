#include "experiments/runs/prompt_export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "modules/program_state.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

std::shared_ptr<const Adapter> adapter_of(const AskedPrompt::Step& step) {
  return make_adapter(*step.predictor.format);
}

Record placeholders(const Signature& signature, const Record& inputs) {
  Record shown;
  for (const Field& field : signature.inputs) {
    const Value* given = inputs.find(field.name);
    shown.set(field.name, given ? *given : Value("{{" + field.name + "}}"));
  }
  return shown;
}

Json in_turns(const Messages& messages) {
  Json turns = Json::array();
  for (const auto& [role, content] : messages)
    turns.push_back({{"role", role}, {"content", content}});
  return turns;
}

Json chat_body(const AskedPrompt::Step& step, const Messages& messages) {
  Json body = {{"model", step.model},
               {"messages", in_turns(messages)},
               {"max_tokens", step.predict.max_tokens},
               {"temperature", step.predict.temperature}};
  if (step.predict.top_p != 1) body["top_p"] = step.predict.top_p;
  return body;
}

/// Of several steps a list of objects that also name them.
template <typename F>
std::string of_steps(const AskedPrompt& prompt, const F& body_of) {
  Json all = Json::array();
  for (const AskedPrompt::Step& step : prompt.steps())
    all.push_back(body_of(step, prompt.messages(step, {})));
  if (all.size() == 1) return write_json(all[0], JsonStyle::kIndented) + "\n";
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = {{"step", prompt.steps()[i].name}, {"body", std::move(all[i])}};
  return write_json(all, JsonStyle::kIndented) + "\n";
}

std::string as_text(const AskedPrompt& prompt, std::span<const Example> /*rows*/) {
  std::string out;
  for (const AskedPrompt::Step& step : prompt.steps()) {
    if (prompt.steps().size() > 1) out += fmt::format("# {}\n\n", step.name);
    for (const auto& [role, content] : prompt.messages(step, {}))
      out += fmt::format("{}:\n{}\n\n", role, content);
  }
  return out;
}

std::string as_messages(const AskedPrompt& prompt, std::span<const Example> /*rows*/) {
  return of_steps(prompt, chat_body);
}

/// platform documentation, "Messages": the system prompt stands apart.
std::string for_anthropic(const AskedPrompt& prompt, std::span<const Example> /*rows*/) {
  return of_steps(prompt, [](const AskedPrompt::Step& step, Messages messages) {
    Json body = {{"model", step.model}, {"max_tokens", step.predict.max_tokens}};
    if (!messages.empty() && messages.front().role == "system") {
      body["system"] = messages.front().content;
      messages.erase(messages.begin());
    }
    body["messages"] = in_turns(messages);
    body["temperature"] = step.predict.temperature;
    return body;
  });
}

/// platform documentation, "generateContent": turns are `user` and `model`.
std::string for_gemini(const AskedPrompt& prompt, std::span<const Example> /*rows*/) {
  return of_steps(prompt, [](const AskedPrompt::Step& step, const Messages& messages) {
    Json body = Json::object();
    body["contents"] = Json::array();
    for (const auto& [role, content] : messages) {
      const Json parts = {{{"text", content}}};
      if (role == "system")
        body["systemInstruction"] = {{"parts", parts}};
      else
        body["contents"].push_back(
            {{"role", role == "assistant" ? "model" : role}, {"parts", parts}});
    }
    body["generationConfig"] = {{"temperature", step.predict.temperature},
                                {"maxOutputTokens", step.predict.max_tokens}};
    return body;
  });
}

/// The last line of what stands before an output in an answer.
std::string opening_of(const AskedPrompt::Step& step, std::size_t output) {
  Record before;
  for (std::size_t i = 0; i < output; ++i) before.set(step.predictor.signature.outputs[i].name, "");
  std::string text = adapter_of(step)->answer_prefix(step.predictor.signature, before, output);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// What stands around the steps, which are JSON.
constexpr const char* kScriptHead = R"(#!/usr/bin/env python3
"""A prompt that Theta optimised. Needs Python 3.8 or newer and nothing else.

    OPENAI_BASE_URL=http://localhost:8080/v1 python3 FILE.py '{{"field": "value", ..}}'

asks that server (by OPENAI_API_KEY, if it is set) and prints the outputs as JSON; answer(field=..)
does it from Python. Inputs: {inputs}.
"""
import json
import os
import re
import sys
import urllib.request

STEPS = json.loads(r'''{steps}''')
)";
constexpr const char* kScriptTail = R"PY(

def ask(step, fields):
    missing = [name for name in step["inputs"] if name not in fields]
    if missing:
        raise TypeError("missing inputs: " + ", ".join(missing))
    put = lambda m: text_of(fields[m[1]]) if m[1] in step["inputs"] else m[0]
    fill = lambda text: re.sub(r"\{\{(\w+)\}\}", put, text)
    body = dict(step["body"])
    body["messages"] = [{"role": m["role"], "content": fill(m["content"])} for m in body["messages"]]
    headers = {"Content-Type": "application/json"}
    if os.environ.get("OPENAI_API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["OPENAI_API_KEY"]
    url = os.environ.get("OPENAI_BASE_URL", "http://localhost:8080/v1").rstrip("/") + "/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(step, text):
    """The outputs of an answer: JSON, or what stands behind each output's opening."""
    if step["adapter"] == "json":
        return json.loads(text[text.index("{"):text.rindex("}") + 1])
    marks = [re.escape(output["opening"]) for output in step["outputs"]] + [r"\[\[ ## completed ## \]\]"]
    found = {}
    for output in step["outputs"]:
        match = re.search(re.escape(output["opening"]) + r"(.*?)(?=" + "|".join(marks) + r"|\Z)", text, re.S)
        if match:
            found[output["name"]] = match[1].strip()
        elif len(step["outputs"]) == 1:
            found[output["name"]] = text.strip()
        else:
            raise ValueError("the answer has no " + output["name"] + ": " + text)
    return found


def answer(**fields):
    outputs = {}
    for step in STEPS:
        found = read(step, ask(step, {**fields, **outputs}))
        outputs.update(found)
    return outputs


if __name__ == "__main__":
    print(json.dumps(answer(**json.loads(sys.argv[1])), ensure_ascii=False))
)PY";

std::string as_python(const AskedPrompt& prompt, std::span<const Example> /*rows*/) {
  Json steps = Json::array();
  std::vector<std::string> inputs, made;
  for (const AskedPrompt::Step& step : prompt.steps()) {
    Json outputs = Json::array();
    const Signature& signature = step.predictor.signature;
    for (std::size_t i = 0; i < signature.outputs.size(); ++i)
      outputs.push_back({{"name", signature.outputs[i].name}, {"opening", opening_of(step, i)}});
    Json read = Json::array();
    for (const Field& field : signature.inputs) {
      read.push_back(field.name);
      if (std::ranges::find(made, field.name) == made.end() &&
          std::ranges::find(inputs, field.name) == inputs.end())
        inputs.push_back(field.name);
    }
    for (const Field& field : signature.outputs) made.push_back(field.name);
    steps.push_back({{"name", step.name},
                     {"adapter", step.predictor.format->adapter},
                     {"inputs", read},
                     {"outputs", outputs},
                     {"body", chat_body(step, prompt.messages(step, {}))}});
  }
  // Within r''' ''' a quote of three is the one thing that ends it; in JSON texts ' may be escaped.
  std::string json = write_json(steps, JsonStyle::kIndented);
  for (std::size_t at = 0; (at = json.find('\'', at)) != std::string::npos; at += 6)
    json.replace(at, 1, "\\u0027");
  return fmt::format(kScriptHead, fmt::arg("inputs", fmt::join(inputs, ", ")),
                     fmt::arg("steps", json)) +
         kScriptTail;
}

/// platform documentation, "Batch API": the input file.
std::string as_batch(const AskedPrompt& prompt, std::span<const Example> rows) {
  if (prompt.steps().size() > 1)
    throw UserError(
        "a batch asks everything at once, and this program has steps that build on "
        "others' answers");
  const AskedPrompt::Step& step = prompt.steps().front();
  std::string out;
  for (const Example& row : rows)
    out += write_json({{"custom_id", row.id},
                       {"method", "POST"},
                       {"url", "/v1/chat/completions"},
                       {"body", chat_body(step, prompt.messages(step, row.fields))}},
                      JsonStyle::kCompact) +
           "\n";
  return out;
}

/// TRL's documentation, "Dataset formats": conversational prompt-completion.
std::string as_sft(const AskedPrompt& prompt, std::span<const Example> rows) {
  std::string out;
  for (const Example& row : rows)
    for (const AskedPrompt::Step& step : prompt.steps()) {
      const Json right = {{{"role", "assistant"}, {"content", prompt.answer(step, row.fields)}}};
      out += write_json(
                 {{"prompt", in_turns(prompt.messages(step, row.fields))}, {"completion", right}},
                 JsonStyle::kCompact) +
             "\n";
    }
  return out;
}

constexpr ExportForm kForms[] = {{"text", false, as_text},
                                 {"messages", false, as_messages},
                                 {"anthropic", false, for_anthropic},
                                 {"gemini", false, for_gemini},
                                 {"python", false, as_python},
                                 {"batch", true, as_batch},
                                 {"sft", true, as_sft}};

}  // namespace

AskedPrompt::AskedPrompt(const SavedPrompt& saved) {
  const auto program = make_program(saved.options);
  load_state(*program, saved.state, saved.file, saved.predictor);
  const auto predictors = program->predictors();
  require(predictors.size() == saved.options.steps.size(), "a step has one predictor");
  for (std::size_t i = 0; i < predictors.size(); ++i) {
    const StepOptions& step = saved.options.steps[i];
    const ModelOptions& model =
        step.model.empty() ? saved.models.model : saved.models.roles.at(step.model);
    steps_.push_back({step.name.empty() ? predictors[i]->name : step.name, *predictors[i],
                      step.predict, model_name(model)});
  }
}

Messages AskedPrompt::messages(const Step& step, const Record& inputs) const {
  Predict predict(step.predictor.signature, *step.predictor.format, step.predict);
  *predict.predictors().front() = step.predictor;
  // What suits an input best depends on the input.
  if (inputs.size() == 0) predict.predictors().front()->nearest.reset();
  return predict.messages(placeholders(step.predictor.signature, inputs));
}

std::string AskedPrompt::answer(const Step& step, const Record& row) const {
  const Signature& signature = step.predictor.signature;
  for (const Field& field : signature.outputs)
    if (row.find(field.name) == nullptr)
      throw UserError(
          fmt::format("the rows have no `{}`, which `{}` is to answer", field.name, step.name));
  const auto adapter = adapter_of(step);
  // A demo is a turn that was answered rightly; the terse adapter's stand in one turn, in lines.
  const std::vector<Demo> demos = {{row}};
  const Messages shown = adapter->format(signature, demos, placeholders(signature, row));
  if (shown.size() > 2) return shown[shown.size() - 2].content;
  const std::size_t last = signature.outputs.size() - 1;
  const Field& field = signature.outputs[last];
  return adapter->answer_prefix(signature, row, last) + " " + field.type.text(row.at(field.name));
}

std::vector<std::string> AskedPrompt::left_out() const {
  std::vector<std::string> lines;
  for (const Step& step : steps_) {
    const Format& format = *step.predictor.format;
    if (format.answering == Answering::kScore)
      lines.push_back(
          fmt::format("`{}` compares the log-probabilities of the options: elsewhere it "
                      "is answered by generating",
                      step.name));
    if (format.calibration != Calibration::kNone || format.option_map)
      lines.push_back(fmt::format("`{}` is calibrated: elsewhere it is not", step.name));
    if (step.predictor.nearest)
      lines.push_back(
          fmt::format("`{}` picks demos for each input: they are in `batch` and `sft`, "
                      "which have inputs",
                      step.name));
  }
  return lines;
}

std::string how_asked(const AskedPrompt::Step& step) {
  const Signature& signature = step.predictor.signature;
  if (step.predictor.format->answering != Answering::kScore)
    return fmt::format("generated, at most {} tokens", step.predict.max_tokens);
  return fmt::format("scored: log P of {} behind \"{}\"",
                     fmt::join(signature.outputs.back().type.options(), ", "),
                     opening_of(step, signature.outputs.size() - 1));
}

std::span<const ExportForm> export_forms() { return kForms; }

}  // namespace theta
