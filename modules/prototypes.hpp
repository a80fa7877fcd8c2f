#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace theta {

/// Of the candidates a few that serve everybody, each person having the one that serves them best:
/// greedy facility location, which comes within 1 - 1/e of the best choice (Cornuéjols, Fisher &
/// Nemhauser 1977, Management Science 23(8)). Each next one adds most to
///
///     sum over people of max(none, fit of the candidates that are taken),
///
/// of equals the first; it ends where none adds anything.
/// @param fits  (people, candidates) how well a candidate serves a person
/// @param none  (people) how well the person is served without any
/// @param most  candidates that are taken, at most
/// @return places of candidates, in the order in which they were taken
std::vector<std::size_t> prototypes(std::span<const std::vector<double>> fits,
                                    std::span<const double> none, std::size_t most);

}  // namespace theta
