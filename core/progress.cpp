#include "core/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <stop_token>
#include <string_view>
#include <utility>

#include "core/visible.hpp"

namespace theta {
namespace {

double now_s() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

constexpr std::string_view kClearLine = "\r\033[K";

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string_view first_characters(std::string_view text, std::size_t n) {
  std::size_t end = 0;
  while (end < text.size() && (n > 0 || !begins_character(text[end]))) {
    n -= begins_character(text[end++]);
  }
  return text.substr(0, end);
}

std::string rate_text(double rate) {
  if (rate >= 10) return fmt::format("{:.0f}/s", rate);
  if (rate >= 1) return fmt::format("{:.1f}/s", rate);
  return fmt::format("{:.1f}/min", rate * 60);
}

/// What both forms say behind the name and the bar.
std::string facts(const Stage& stage, std::string_view separator) {
  std::string out = stage.total > 0 ? fmt::format("{}/{}", stage.done, stage.total)
                                    : fmt::format("{}", stage.done);
  if (!stage.trouble.empty())
    return out + fmt::format("{0}{1}{0}{2}", separator, clock_text(stage.elapsed_s), stage.trouble);
  const auto computed = static_cast<double>(stage.done - stage.replayed);
  const bool has_rate = computed > 0 && stage.elapsed_s > 0;
  const double rate = has_rate ? computed / stage.elapsed_s : 0;
  if (has_rate) out += fmt::format("{}{}", separator, rate_text(rate));
  out += fmt::format("{}{}", separator, clock_text(stage.elapsed_s));
  if (has_rate && stage.total > stage.done) {
    out +=
        fmt::format(", {} left", clock_text(static_cast<double>(stage.total - stage.done) / rate));
  }
  if (stage.run_left_s) out += fmt::format(", run {} left", clock_text(*stage.run_left_s));
  if (!stage.note.empty()) out += fmt::format("{}{}", separator, stage.note);
  return out;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string progress_bar(const Stage& stage, std::size_t width) {
  constexpr std::size_t kLeast = 5;
  constexpr std::size_t kMost = 30;
  const std::string right = facts(stage, "  ");
  const std::size_t texts = characters(stage.name) + characters(right) + 4;  // " [", "] "
  std::string line = stage.name + " ";
  if (stage.total > 0 && texts + kLeast <= width) {
    const std::size_t room = std::min(kMost, width - texts);
    const double share = static_cast<double>(stage.done) / static_cast<double>(stage.total);
    const auto filled =
        static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(room));
    std::string bar(filled, '=');
    if (filled < room) bar += '>';
    line += fmt::format("[{:<{}}] ", bar, room);
  }
  return std::string(first_characters(line + right, width));
}

std::string progress_text(const Stage& stage) { return stage.name + ": " + facts(stage, ", "); }

Progress::Progress(bool terminal, double interval_s, std::FILE* out)
    : terminal_(terminal), interval_s_(interval_s), out_(out) {
  ticker_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
      draw();
    }
  });
}

Progress::Progress(Progress& all, std::string label)
    : terminal_(false), interval_s_(0), out_(nullptr), all_(&all), label_(std::move(label)) {}

Progress::~Progress() { finish(); }

void Progress::plan(Plan plan) {
  const std::lock_guard lock(mutex_);
  planned_ = !plan.empty();
  plan_ = std::move(plan);
  done_ = 0;
  pace_.emplace(now_s());
}

void Progress::stage(std::string name, std::int64_t total) {
  if (all_ != nullptr) all_->note(label_ + ": " + name);
  const std::lock_guard lock(mutex_);
  end_stage();
  const auto planned = std::ranges::find(plan_, name, &Plan::value_type::first);
  if (planned != plan_.end()) {
    if (total == 0) total = planned->second;
    plan_.erase(plan_.begin(), planned + 1);
  }
  stage_ = {.name = std::move(name), .total = total};
  running_ = true;
  began_ = drawn_ = Clock::now();
  if (terminal_) draw(true);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  end_stage();
}

void Progress::advance(std::int64_t n, bool known) {
  if (!known) computes_ = true;
  count(n, !computes_);
}

void Progress::count(std::int64_t n, bool replayed) {
  if (all_ != nullptr) all_->count(n, replayed);
  const std::lock_guard lock(mutex_);
  stage_.done += n;
  done_ += n;
  if (replayed)
    stage_.replayed += n;
  else if (pace_)
    pace_->add(now_s(), static_cast<double>(n));
  if (stage_.total > 0) stage_.total = std::max(stage_.total, stage_.done);
  draw();
}

void Progress::trouble(const std::string& server, const std::string& why, double seconds) {
  const std::lock_guard lock(mutex_);
  if (why.empty())
    troubles_.erase(server);
  else
    troubles_[server] = {Clock::now() - std::chrono::duration_cast<Clock::duration>(
                                            std::chrono::duration<double>(seconds)),
                         why};
  draw(terminal_);
}

void Progress::note(std::string text) {
  if (all_ != nullptr && !text.empty()) all_->note(label_ + ": " + text);
  const std::lock_guard lock(mutex_);
  stage_.note = std::move(text);
  draw();
}

void Progress::say(const std::string& line) {
  if (all_ != nullptr) return all_->say(label_ + ": " + line);
  const std::lock_guard lock(mutex_);
  write(fmt::format("{}{}\n", terminal_ ? kClearLine : "", line));
  if (terminal_) draw(true);
}

Whole Progress::whole() {
  std::string trouble = all_ != nullptr ? all_->whole().trouble : "";
  const std::lock_guard lock(mutex_);
  if (all_ == nullptr) trouble = trouble_text();
  return {stage_.name, done_, planned_ ? done_ + left() : 0, run_left_s(), std::move(trouble)};
}

std::string Progress::trouble_text() const {
  std::string out;
  for (const auto& [server, trouble] : troubles_)
    out += fmt::format("{}{}: no answer for {:.0f} s: {}", out.empty() ? "" : "; ", server,
                       seconds_since(trouble.since), trouble.why);
  return out;
}

std::int64_t Progress::left() const {
  std::int64_t requests = std::max<std::int64_t>(0, stage_.total - stage_.done);
  for (const auto& stage : plan_) requests += stage.second;
  return requests;
}

std::optional<double> Progress::run_left_s() const {
  const auto pace = planned_ ? pace_->per_second(now_s()) : std::nullopt;
  if (!pace) return std::nullopt;
  return static_cast<double>(left()) / *pace;
}

void Progress::draw(bool force) {
  if (!running_ || out_ == nullptr) return;
  const auto now = Clock::now();
  const double since_s = std::chrono::duration<double>(now - drawn_).count();
  if (!force && since_s < (terminal_ ? 0.1 : interval_s_)) return;
  drawn_ = now;
  stage_.elapsed_s = std::chrono::duration<double>(now - began_).count();
  stage_.run_left_s = run_left_s();
  stage_.trouble = trouble_text();
  write(terminal_ ? std::string(kClearLine) + visible(progress_bar(stage_, width()))
                  : visible(progress_text(stage_)) + "\n");
}

void Progress::write(const std::string& text) {
  // Where it cannot be written, work goes on unseen.
  if (out_ != nullptr && std::fputs(text.c_str(), out_) >= 0) std::fflush(out_);
}

void Progress::end_stage() {
  if (!running_) return;
  draw(true);
  if (terminal_) write("\n");
  running_ = false;
}

std::size_t Progress::width() const {
  winsize size{};
  const bool known = ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  // The last column stays free: some terminals wrap when it is written.
  return (known ? size.ws_col : 80U) - 1;
}

}  // namespace theta
