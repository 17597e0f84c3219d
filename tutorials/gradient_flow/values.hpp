#pragma once
/// Lists and ranges on the command line: "1,2,4", "0.5:1.5:0.1".

#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// "a,b," -> "a", "b", "".
std::vector<std::string> split_at_commas(std::string_view text);

/// The values that an option was given: a list with commas, each part a value or a range FIRST:LAST or FIRST:LAST:STEP
/// (both ends included, the step 1 where not given). A range's values are decimal: 0.5:1.5:0.1 has 0.6 and 1.5, not
/// what adding 0.1 in binary leaves of them. Values that are no range are left as they were written. Throws
/// ebb::ValueError, naming the option, for a range of what is no number, with a step of 0 or away from its end, or of
/// more than 10,000 values.
std::vector<std::string> expand_values(std::string_view option, std::string_view text);

}  // namespace lab
