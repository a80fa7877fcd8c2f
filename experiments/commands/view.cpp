#include <fmt/format.h>

#include <cstdio>

#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/view/server.hpp"
#include "experiments/view/site.hpp"

namespace theta {
namespace {

class ViewCommand final : public Command {
 public:
  ViewCommand()
      : Command(
            {.name = "view",
             .arguments = "DIR",
             .help =
                 R"(Serves pages of the runs and sweeps under DIR to the browsers of this machine, as they go
on: results, trials, prompts and their changes, every item with its messages and answers, two
rows or two runs side by side. Prints the address, which holds a secret; Ctrl-C ends it.)"}) {}

  void declare(Options& options) override {
    options.add_options()("port", option::number(port_, "N", "port", 1),
                          "the port (default: any that is free)");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    if (port_ > 65535) throw UserError("--port is at most 65535");
    view::Site site(arguments[0]);
    view::Server server(static_cast<std::uint16_t>(port_),
                        [&](const view::PageRequest& request) { return site.answer(request); });
    fmt::print("{}\n", server.url());
    std::fflush(stdout);
    server.run(host.stop);
    return 0;
  }

 private:
  std::int64_t port_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_view_command() { return std::make_unique<ViewCommand>(); }

}  // namespace theta
