#pragma once
/// Sequences from a model that predicts the next token: greedy, sampled, or the most probable by beam search.
///
///     const auto model = [&](const Indices& tokens, const LSTMState<float>& state) {    // tokens [T, B]
///         const auto [h, next] = lstm(embedding(tokens), state);
///         return std::pair{readout(h), next};                                           // logits [T, B, V]
///     };
///     Autoregression text(tape_step<float, LSTMState<float>>(model));
///     text.read(encode("The "));
///     const std::vector<std::int64_t> more = text.generate(200, {.temperature = 0.8});
///
/// Any model serves that can be called so: a StepFunction takes a token and a state and gives the logits of the token
/// that follows, in double, and the next state. A state is copied where a beam branches; `tape_step` makes a step
/// function of a model that records on tapes, with the states kept beside them.
///
/// Tokens are numbers from 0 to V - 1. A logit of -infinity forbids its token. Everything is deterministic: the same
/// generator state draws the same tokens on every platform that computes the same logits.

#include <ebb/autograd/grad_mode.hpp>
#include <ebb/autograd/operations/indexing.hpp>
#include <ebb/core/error.hpp>
#include <ebb/core/random.hpp>
#include <ebb/layers/kept_state.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ebb {

using Tokens = std::vector<std::int64_t>;

// ---- one token ----------------------------------------------------------------------------------------------------

struct SamplingOptions {
    /// p_i ~ exp(logit_i / temperature): below 1 sharper, above 1 flatter; 0 is greedy, the limit.
    double temperature = 1;
    /// Only the k most probable tokens (Fan, Lewis, Dauphin 2018); 0 for all.
    std::size_t top_k = 0;
    /// The nucleus: only the smallest set of most probable tokens whose probabilities reach p together (Holtzman et al.
    /// 2020, sect. 3.1); 1 for all.
    double top_p = 1;
};

/// log softmax(logits), in double. Throws ValueError for no logits, for NaN or +infinity, and where all are -infinity.
std::vector<double> log_probabilities(const std::vector<double>& logits);

/// The probabilities to sample from: those of softmax(logits / temperature); then without all but the top k, and then
/// without all but the nucleus, enlarged each time so that their sum is 1. Of equally probable tokens the one with the
/// smaller number comes first.
/// Throws ValueError as log_probabilities, for a negative temperature, and for a top_p outside of (0, 1].
std::vector<double> sampling_probabilities(const std::vector<double>& logits, const SamplingOptions& options = {});

/// A token drawn from `sampling_probabilities`, by one number of the generator.
std::int64_t sample_token(const std::vector<double>& logits, const SamplingOptions& options = {},
                          Generator& generator = default_generator());

// ---- a model, step by step ----------------------------------------------------------------------------------------

template <class State>
struct StepResult {
    std::vector<double> logits;  ///< [V], of the token that follows
    State state;
};

/// Reads one token. The state before the first one is `State()`.
template <class State>
using StepFunction = std::function<StepResult<State>(std::int64_t token, const State& state)>;

/// A step function of a model on a tape, which may be the one that was trained: `model(tokens, state)` takes a batch of
/// one sequence of one token, [T, B] = [1, 1], and the state's variables, which are undefined at first. It gives the
/// logits, [1, 1, V] or another shape of V elements, and the next state, as a pair or a struct of two.
/// Each step runs on a tape of its own, without recording gradients: a text of any length takes the memory of one step.
/// Dropout and its like belong to training: call eval() on the model before.
template <class T, class State, class Model>
StepFunction<KeptState<T, State>> tape_step(Model model) {
    return [model = std::move(model)](std::int64_t token, const KeptState<T, State>& kept) {
        const NoGrad off;
        Tape<T> tape;
        Indices tokens = Indices::from_shape({1, 1});
        tokens.fill(token);
        const auto [logits, next] = model(tokens, kept.on(tape));
        const ArrayView<T> values = logits.value();
        return StepResult<KeptState<T, State>>{std::vector<double>(values.begin(), values.end()),
                                               KeptState<T, State>(next)};
    };
}

struct BeamOptions {
    std::size_t width = 4;    ///< how many hypotheses are followed
    std::size_t length = 20;  ///< tokens at most
    /// Hypotheses that end are compared by log p / ((5 + length) / 6)^a (Wu et al. 2016, eq. 14): 0 prefers short ones,
    /// which have more probability, larger numbers long ones.
    double length_penalty = 0;
    /// The token that ends a hypothesis, and is its last; without it all have `length` tokens.
    std::optional<std::int64_t> end_token = {};
};

struct Hypothesis {
    Tokens tokens;
    double log_likelihood = 0;  ///< log p of all its tokens, given what was read before, in nats
    double score = 0;           ///< what it is ranked by: log_likelihood with the length penalty
    bool ended = false;         ///< by the end token
};

/// log p / ((5 + length) / 6)^penalty
double beam_score(double log_likelihood, std::size_t length, double penalty);

/// The beam without the model: the live hypotheses, and which of their continuations go on. At first one is live: the
/// empty one.
class BeamSearch {
  public:
    /// Throws ValueError for a width or a length of 0, or a length penalty that is negative or not finite.
    explicit BeamSearch(const BeamOptions& options);

    struct Step {
        std::size_t from;  ///< which of the hypotheses that were live
        std::int64_t token;
    };
    /// Ranks all continuations of the live hypotheses by one token, given the logits [V] that follow each. The steps to
    /// those that are live now, the best first; none when the search has ended.
    std::vector<Step> advance(const std::vector<std::vector<double>>& logits);

    /// What has ended so far, at most `width`, the best first.
    std::vector<Hypothesis> results() const;

  private:
    BeamOptions options_;
    std::vector<Hypothesis> live_;
    std::vector<Hypothesis> ended_;
};

/// A text that a model continues. What was read or generated is in the state, which stays between calls:
/// generate(10) twice is generate(20).
template <class State>
class Autoregression {
  public:
    /// `state` is that before the first token. Throws ValueError for an empty function.
    explicit Autoregression(StepFunction<State> step, State state = {})
        : step_(std::move(step)), state_(std::move(state)) {
        if (!step_) fail<ValueError>("Autoregression: step is empty: expected a function");
    }

    /// Reads one token and returns log p(token | all before it), in nats. The first token of all has no prediction: 0.
    double read(std::int64_t token) {
        double log_p = 0;
        if (!logits_.empty()) {
            check_token(token);
            log_p = log_probabilities(logits_)[static_cast<std::size_t>(token)];
        }
        StepResult<State> next = step_(token, state_);
        logits_ = std::move(next.logits);
        state_ = std::move(next.state);
        log_likelihood_ += log_p;
        return log_p;
    }
    /// The same for several tokens: their log-likelihood together. Where one of them is wrong, none was read.
    double read(const Tokens& tokens) {
        Autoregression after = *this;
        double log_p = 0;
        for (const std::int64_t token : tokens) log_p += after.read(token);
        *this = std::move(after);
        return log_p;
    }

    /// Draws `count` tokens, each given all before it, and reads them.
    /// Throws ValueError where nothing was read yet, and as sampling_probabilities.
    Tokens generate(std::size_t count, const SamplingOptions& options = {},
                    Generator& generator = default_generator()) {
        check_started("generate");
        Tokens tokens;
        for (std::size_t k = 0; k < count; ++k) {
            tokens.push_back(sample_token(logits_, options, generator));
            read(tokens.back());
        }
        return tokens;
    }

    /// Looks for the most probable continuation: of each hypothesis all continuations by one token are ranked together,
    /// and the best `width` go on; those of them that end are set aside. The results, at most
    /// `width`, the best first. Of equally good ones the one with the smaller tokens comes first. Nothing is read: the
    /// state stays as it was.
    /// With width >= V^(length - 1) nothing is lost, and the first is the most probable sequence of all.
    /// Throws ValueError where nothing was read yet, for a wrong option, and as log_probabilities.
    std::vector<Hypothesis> beam_search(const BeamOptions& options = {}) const;

    /// Logits of the token that follows; empty where nothing was read yet.
    const std::vector<double>& logits() const noexcept { return logits_; }
    const State& state() const noexcept { return state_; }
    /// log p of all tokens after the first, in nats.
    double log_likelihood() const noexcept { return log_likelihood_; }

  private:
    void check_started(const char* call) const {
        if (logits_.empty())
            fail<ValueError>(std::string("Autoregression::") + call + ": nothing was read yet: expected a start token");
    }
    void check_token(std::int64_t token) const {
        if (token < 0 || static_cast<std::size_t>(token) >= logits_.size())
            fail<IndexError>("Autoregression::read: token " + std::to_string(token) + ": expected 0 to " +
                             std::to_string(logits_.size() - 1));
    }

    StepFunction<State> step_;
    State state_;
    std::vector<double> logits_;
    double log_likelihood_ = 0;
};

template <class State>
std::vector<Hypothesis> Autoregression<State>::beam_search(const BeamOptions& options) const {
    check_started("beam_search");
    BeamSearch search(options);
    std::vector<std::vector<double>> logits{logits_};
    std::vector<State> states{state_};
    while (true) {
        const std::vector<BeamSearch::Step> steps = search.advance(logits);
        if (steps.empty()) return search.results();
        logits.clear();
        std::vector<State> next;
        for (const BeamSearch::Step& step : steps) {
            StepResult<State> result = step_(step.token, states[step.from]);
            logits.push_back(std::move(result.logits));
            next.push_back(std::move(result.state));
        }
        states = std::move(next);
    }
}

}  // namespace ebb
