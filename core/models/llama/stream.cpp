#include "core/models/llama/stream.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace theta {

// A wave that a thread waits for.
struct LlamaStream::Call {
  std::vector<LlamaJob> jobs;
  const LanguageModel::OnAnswer& on_answer;
  Clock::time_point asked = Clock::now();
  std::vector<bool> begun = std::vector<bool>(jobs.size());

  // Guarded by the mutex.
  std::size_t missing = jobs.size();
  bool cancelled = false;  // the thread wants to go
  bool released = false;   // and may: nothing refers to this any more
  std::exception_ptr failed = nullptr;
};

struct LlamaStream::Sequence {
  // What an option is given for one of its tokens, at the token before.
  struct Probe {
    std::size_t position;
    std::size_t option;
    Token token;
  };

  Call* call;
  std::size_t job;
  std::size_t last;           // position of the last token that is read
  std::vector<Probe> probes;  // of a scored job
};

LlamaStream::LlamaStream(LlamaDecoder& decoder, const LlamaOptions& options, Count count)
    : decoder_(decoder),
      // The further apart what is held, the more masked cells every pass looks at: few ends stay.
      limits_{.cells = options.context,
              .slots = options.sequences,
              .batch = options.batch,
              .ends = options.context / 8},
      count_(std::move(count)) {
  start_anew();
  worker_ = std::jthread([this] { work(); });
}

LlamaStream::~LlamaStream() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  changed_.notify_all();
}

void LlamaStream::complete(std::vector<LlamaJob> jobs, const LanguageModel::OnAnswer& on_answer,
                           std::stop_token stop) {
  if (jobs.empty()) return;
  Call call{std::move(jobs), on_answer};
  std::unique_lock lock(mutex_);
  arrived_.push_back(&call);
  changed_.notify_all();
  const auto released = [&] { return call.released; };
  if (!changed_.wait(lock, stop, released)) {
    call.cancelled = true;
    if (std::all_of(current_.begin(), current_.end(), [](const Call* c) { return c->cancelled; })) {
      abandoned_.request_stop();
    }
    changed_.notify_all();
    changed_.wait(lock, released);
  }
  if (call.failed) std::rethrow_exception(call.failed);
  if (call.missing > 0) throw Interrupted("interrupted");
}

void LlamaStream::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !arrived_.empty() || !current_.empty(); });
    if (closing_) return;
    std::exception_ptr failed;
    try {
      take_calls();
      if (current_.empty()) continue;
      lock.unlock();
      pass();
    } catch (...) {
      failed = std::current_exception();
    }
    if (!lock.owns_lock()) lock.lock();
    if (!failed) continue;
    // What the cache holds is not known. A call that was cancelled takes this for its interruption.
    start_anew();
    for (Call* call : std::exchange(current_, {})) {
      if (!call->cancelled) call->failed = failed;
      release(*call);
    }
  }
}

// The mutex is held.
void LlamaStream::take_calls() {
  for (Call* call : std::vector(current_)) {
    if (call->cancelled) drop(*call);
  }
  abandoned_ = std::stop_source();
  while (!arrived_.empty()) {
    Call* const call = arrived_.front();
    arrived_.erase(arrived_.begin());
    if (call->cancelled) {
      release(*call);
    } else {
      current_.push_back(call);
      enter(*call);
    }
  }
}

void LlamaStream::start_anew() {
  decoder_.clear();
  planner_ = std::make_unique<StreamPlanner>(limits_);
  sequences_.clear();
}

// Nothing more is computed for the call. The mutex is held.
void LlamaStream::drop(Call& call) {
  for (const auto& [number, sequence] : sequences_) {
    if (sequence.call == &call) planner_->finish(number);
  }
  std::erase_if(sequences_, [&](const auto& entry) { return entry.second.call == &call; });
  release(call);
}

// The mutex is held.
void LlamaStream::release(Call& call) {
  std::erase(current_, &call);
  call.released = true;
  changed_.notify_all();
}

void LlamaStream::enter(Call& call) {
  for (std::size_t i = 0; i < call.jobs.size(); ++i) {
    const LlamaJob& job = call.jobs[i];
    const std::size_t request = requests_++;
    if (!job.scored()) {
      const std::size_t last = job.prompt().size() - 1;
      const std::size_t number = planner_->add({job.prompt(), job.growth(), last, request});
      sequences_[number] = {&call, i, last, {}};
      continue;
    }
    // What options share after their parting is asked of the first that goes there.
    std::vector<std::vector<Token>> reads;
    std::vector<std::vector<Sequence::Probe>> probes(job.options().size());
    for (std::size_t option = 0; option < job.options().size(); ++option) {
      const std::vector<Token>& tokens = job.options()[option];
      reads.push_back(job.read(option));
      for (std::size_t at = job.parting(); at < tokens.size(); ++at) {
        const auto goes_there = [&](const auto& read) { return common_prefix(read, tokens) >= at; };
        const auto first = std::find_if(reads.begin(), reads.end(), goes_there) - reads.begin();
        probes[static_cast<std::size_t>(first)].push_back({at - 1, option, tokens[at]});
      }
    }
    for (std::size_t option = 0; option < reads.size(); ++option) {
      if (probes[option].empty()) continue;
      std::size_t from = reads[option].size();
      for (const auto& probe : probes[option]) from = std::min(from, probe.position);
      const std::size_t last = reads[option].size() - 1;
      const std::size_t number = planner_->add({std::move(reads[option]), 0, from, request});
      sequences_[number] = {&call, i, last, std::move(probes[option])};
    }
  }
}

void LlamaStream::pass() {
  const StreamPlanner::Step step = planner_->next();
  require(!step.entries.empty(), "a call that is not released has something to compute");
  HostCounters spent;
  for (const std::size_t number : step.begun) {
    const auto& [call, job, last, probes] = sequences_.at(number);
    if (call->begun[job]) continue;
    call->begun[job] = true;
    ++spent.attempts;
    spent.asked_tokens += static_cast<std::int64_t>(call->jobs[job].nodes());
    spent.queue_seconds += seconds_since(call->asked);
  }
  const auto generated = std::count_if(step.entries.begin(), step.entries.end(),
                                       [this](const BatchPlanner::Entry& entry) {
                                         return entry.position > sequences_.at(entry.sequence).last;
                                       });
  const std::int64_t computed = std::ssize(step.entries) - generated;
  spent.reused_tokens = spent.asked_tokens - computed;
  std::vector<std::int8_t> wanted(step.entries.size());
  for (const StreamPlanner::Read& read : step.reads) wanted[read.entry] = 1;

  const auto began = Clock::now();
  decoder_.edit(step.edits);
  decoder_.decode(step.entries, std::move(wanted), abandoned_token());
  spent.add_pass(seconds_since(began), computed, generated);
  count_(spent);

  std::vector<std::optional<double>> normalisers(step.entries.size());
  for (const StreamPlanner::Read& read : step.reads) {
    const auto sequence = sequences_.find(read.sequence);
    if (sequence == sequences_.end()) continue;  // its call failed meanwhile
    Call& call = *sequence->second.call;
    try {
      deliver(sequence->second, read, normalisers[read.entry]);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      call.failed = std::current_exception();
      drop(call);
    }
  }
}

void LlamaStream::deliver(const Sequence& sequence, const StreamPlanner::Read& read,
                          std::optional<double>& normaliser) {
  Call& call = *sequence.call;
  LlamaJob& job = call.jobs[sequence.job];
  const std::span<const float> logits = decoder_.logits(read.entry);
  bool whole = false;
  bool over = job.scored() && read.position == sequence.last;
  if (job.scored()) {
    if (!normaliser) normaliser = log_normaliser(logits);
    for (const auto& probe : sequence.probes) {
      if (probe.position != read.position) continue;
      whole = job.score(probe.option, probe.token, logits, *normaliser) || whole;
    }
  } else if (const std::optional<Token> token = job.advance(logits)) {
    planner_->append(read.sequence, *token);
  } else {
    planner_->finish(read.sequence);
    whole = over = true;
  }
  const std::size_t index = sequence.job;
  if (over) sequences_.erase(read.sequence);
  if (!whole) return;
  call.on_answer(index, job.answer());
  const std::lock_guard lock(mutex_);
  if (--call.missing == 0) release(call);
}

std::stop_token LlamaStream::abandoned_token() {
  const std::lock_guard lock(mutex_);
  return abandoned_.get_token();
}

}  // namespace theta
