#pragma once

#include <optional>
#include <string>
#include <vector>

namespace theta {

/// One number that a benchmark measured. A target is for the ratio where there is a peer, for
/// Theta's own number where there is none.
struct Figure {
  std::string name;  ///< with its unit: `judge calls/s`
  double theta = 0;
  std::optional<double> peer = {};    ///< measured in the same run
  std::optional<double> target = {};  ///< reached at this value or beyond it
  std::string better = "higher";      ///< or `lower`

  std::optional<double> ratio() const;  ///< theta / peer
  /// Nothing if there is no target.
  std::optional<bool> reached() const;
};

/// Prints a table of the figures and, if `json` is not empty, writes
/// `{"bench": NAME, "figures": [{"name", "theta", "peer", "ratio", "target", "better"}]}` there,
/// null where there is no value.
/// @throws UserError if the file cannot be written.
void report_figures(const std::string& bench, const std::vector<Figure>& figures,
                    const std::string& json);

/// Takes `name VALUE` (`--json FILE`) out of a benchmark's arguments; `otherwise` if it is not
/// there.
/// @throws UserError if the value is missing.
std::string take_option(std::vector<std::string>& arguments, const std::string& name,
                        const std::string& otherwise = "");

/// The same of a list, `--seeds 1,2,3`.
std::vector<std::string> take_list(std::vector<std::string>& arguments, const std::string& name,
                                   const std::string& otherwise = "");

/// Takes `name` (`--slow`) out; whether it was there.
bool take_flag(std::vector<std::string>& arguments, const std::string& name);

/// The body of a benchmark's main(): calls `measure` with the arguments left once `--json FILE` is
/// taken out, reports its figures, and turns an exception into one line and exit code 1 (2 for the
/// user's mistake, which any argument that `measure` leaves is).
int bench_main(const std::string& bench, int argc, char** argv,
               std::vector<Figure> (*measure)(std::vector<std::string>& arguments));

}  // namespace theta
