#pragma once
/// The colours of figures: hues that remain apart for colour-blind readers, in a shade for paper and one for dark
/// screens.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace ebb::inspect {

struct LineColour {
    std::string_view light;  // on white, "#0072B2"
    std::string_view dark;   // on near-black
};

/// Okabe and Ito's colours ("Color Universal Design", 2008) without their yellow, which vanishes on paper; the dark
/// shades are the same hues made lighter.
constexpr std::array<LineColour, 7> line_colours{{
    {"#0072B2", "#4C9FE0"},  // blue
    {"#D55E00", "#FF8A4C"},  // vermilion
    {"#009E73", "#2FCB9E"},  // bluish green
    {"#CC79A7", "#E58FC0"},  // reddish purple
    {"#E69F00", "#FFC247"},  // orange
    {"#56B4E9", "#A5DAFA"},  // sky blue
    {"#555B66", "#F2F4F7"},  // grey, white
}};

/// The colour of the series with this number; beyond the last colour they start again.
LineColour line_colour(std::size_t index);

/// The colour at `position` in [0, 1] along the sequential scale of heat maps: dark blue, teal, sand. Lightness rises
/// all the way, so that it reads in grey and to every eye. "#rrggbb".
std::string heat_colour(double position);

}  // namespace ebb::inspect
