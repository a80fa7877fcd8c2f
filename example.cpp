// A program of two steps, scored by a metric of its own, tuned by MIPROv2, saved and loaded again.
//
// usage: example MODEL.gguf

#include <fstream>
#include <iostream>
#include <theta.hpp>

using namespace theta;

Program make_program() {
  Program program;
  const auto mood = program.add(Predict("review -> mood", {}, {.max_tokens = 12}));
  const auto verdict = program.add(Predict("review, mood -> verdict: Literal['good', 'bad']"));
  program.forward = [=](Batch& batch) {
    batch.run(mood);
    batch.run(verdict);
  };
  return program;
}

std::vector<Example> read_reviews() {
  std::vector<Example> rows;
  for (const auto& [review, verdict] : {std::pair{"I love it, it is great.", "good"},
                                        {"Awful, it broke at once.", "bad"},
                                        {"Does all that I hoped for.", "good"},
                                        {"A waste of money.", "bad"},
                                        {"Sturdy, quiet and cheap.", "good"},
                                        {"The battery dies in an hour.", "bad"}})
    rows.push_back(
        {.id = review, .group = "", .fields = {{"review", review}, {"verdict", verdict}}});
  return rows;
}

double is_right(const Example& row, const Prediction& answer) {
  return answer.fields.text("verdict") == row.fields.text("verdict") ? 1 : 0;
}

int main(int argc, char** argv) try {
  if (argc != 2) throw UserError("usage: example MODEL.gguf");
  LlamaModel model({.path = argv[1]});
  const auto rows = read_reviews();
  const Task task{.train = rows,
                  .validation = rows,
                  .metric = is_right,
                  .model = model,
                  .proposer = model,
                  .teacher = model};

  Mipro mipro({.num_instructions = 2, .num_demo_sets = 2, .num_trials = 3});
  const Compiled compiled = mipro.compile(make_program(), task);
  std::cout << compiled.trials.size() << " trials, P(better) = " << compiled.gate.p_better << '\n';

  const std::string state = dump_state(*compiled.program);  // DSPy loads it too
  std::ofstream("prompt.json") << state;
  Program loaded = make_program();
  load_state(loaded, state, "prompt.json");
  const auto answers = loaded.run({{{{"review", "Not bad at all."}}}}, {.model = model});
  std::cout << answers[0]->fields.text("verdict") << '\n';
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 2;
}
