#pragma once

#include <string>
#include <vector>

namespace theta {

/// One choice of one person: of two texts, the one that was preferred. SynthesizeMe's training
/// datum.
struct PreferencePair {
  std::string id;       ///< unique in its data set
  std::string context;  ///< the conversation or subject before the texts; may be empty
  std::string chosen;
  std::string rejected;
  bool flip = false;  ///< where one order is asked: the chosen text is shown first iff true
                      ///< (PersonalRewardBench's column of that name)
};

/// A person whose preferences are to be predicted: what is known of them and what is asked.
struct User {
  std::string id;
  std::vector<PreferencePair> context;  ///< what a persona may be made from
  std::vector<PreferencePair> test;     ///< what it is scored on; never seen before
  std::string taste;                    ///< simulated users only: the hidden taste's name
  std::string true_persona;             ///< simulated users only: the taste in words
  std::string demographics = {};  ///< what is known of who they are, in words; may be empty
  bool simulated = false;
};

/// Users by what they are for; no user and no text stands in two of them.
struct Users {
  std::vector<User> train;
  std::vector<User> validation;
  std::vector<User> test;
  std::vector<std::string> remarks;  ///< what a reader of their numbers has to know, a line each
};

}  // namespace theta
