#pragma once
/// A diagnosis in words: what is wrong with the gradient's way through time, with the numbers that show it, and what is
/// usually done about it.

#include <ebb/autograd/parameter.hpp>
#include <ebb/autograd/tape.hpp>
#include <ebb/inspect/flow_recorder.hpp>
#include <ebb/inspect/gradient_flow.hpp>
#include <ebb/inspect/units.hpp>

#include <string>
#include <vector>

namespace ebb::inspect {

class Report;

enum class Ailment {
    not_finite,       ///< NaN or infinity in states, gradients, weights or the loss
    no_gradient,      ///< nothing flowed into the state
    vanishing,        ///< early steps get a negligible part of the gradient
    exploding,        ///< the gradient grows on its way back
    saturated_units,  ///< units that sit at the flat ends of tanh
    dead_units,       ///< units that no gradient reaches
    often_clipped,    ///< the training clips most of its steps
};

/// From which numbers on a finding is made.
struct HealthThresholds {
    /// Vanishing: steps with less than this part of the largest norm. A float has 24 bits: what is below 2^-23 = 1.2e-7
    /// of a sum leaves no trace in it. Ten times that is where a step stops teaching.
    double negligible = 1e-6;
    /// Exploding: the norm grows by this on its way back, from the step nearest to the loss to the largest. (Pascanu et
    /// al. 2013, sect. 3.2, clip at 0.5 to 10 times the average norm; this is two powers of ten beyond.)
    double growth = 1e3;
    /// A unit counts as saturated where |h| > 0.9, at which tanh passes less than a fifth (1 - 0.9^2), in this part of
    /// all steps and sequences. For gates see Karpathy, Johnson, Fei-Fei 2015, sect. 4.2.
    double saturated = 0.95;
    /// Units that are saturated or dead are reported where they are more than this part of all.
    double units = 0.05;
    /// The part of the steps that are clipped: above it clipping sets the learning rate, and no longer cuts peaks.
    double clipped = 0.5;
};

struct Finding {
    Ailment ailment;
    std::string subject;  ///< "lstm.h"; a parameter's name; "training"
    std::string
        evidence;        ///< "the gradient falls by 10x every 7.0 steps: steps before t = 41 get less than 1e-06 of it"
    std::string advice;  ///< "try a gated cell (LSTM, GRU), ..."
};

/// Everything found on a tape after a backward pass: each state, and each parameter. Empty where all is well.
template <class T>
std::vector<Finding> diagnose(const Tape<T>& tape, const std::vector<Parameter<T>>& parameters = {},
                              const HealthThresholds& thresholds = {});
/// Of one state.
std::vector<Finding> diagnose(const UnitFlow& flow, const HealthThresholds& thresholds = {});
/// Of one state whose units were not looked at.
std::vector<Finding> diagnose(const StateFlow& flow, const HealthThresholds& thresholds = {});
/// Of a training: its last record, and what happened on the way.
std::vector<Finding> diagnose(const FlowHistory& history, const HealthThresholds& thresholds = {});

/// "lstm.h: the gradient falls ...; try ..."
std::string to_string(const Finding& finding);

/// Puts findings above all else in a report; where there are none, that nothing was found.
void add_findings(Report& report, const std::vector<Finding>& findings);

}  // namespace ebb::inspect
