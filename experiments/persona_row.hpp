#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/store.hpp"
#include "modules/judge.hpp"
#include "optimizers/theta_search.hpp"

namespace theta {

/// One row of a persona experiment on its way: a method's personas for people, and what the judge
/// says with them of the pairs that they are tested on.
///
/// A person whose persona an outage took has failed judgements. One for whom Θ wrote nothing that
/// could be used is judged without a persona, or with another's where there is a pool; a judgement
/// that cannot be scored, or not be compared with that without persona, counts by its plain choice;
/// how many these are, remarks() says.
struct PersonaRow {
  std::string name;
  std::string model;  ///< the role: `teacher`, `student`
  /// By user id; of nobody: the judge without a persona.
  std::map<std::string, Result<FoundPersona>> personas = {};
  std::map<std::string, std::vector<Demo>> demos = {};  ///< by user id
  Usage usage = {};
  std::vector<Outcome> outcomes = {};

  std::size_t named = 0;            ///< outcomes whose judgement was Judgement::named
  std::size_t uncompared = 0;       ///< without contrast for another reason
  std::string why_uncompared = {};  ///< the first of these reasons

  std::vector<std::string> remarks(Judging judging) const;
};

/// Judges the user's test pairs in both orders under every row, in one wave, and adds what comes of
/// it to the rows.
void judge_user(const Judge& judge, const User& user, std::span<PersonaRow> rows, const Call& call);

}  // namespace theta
