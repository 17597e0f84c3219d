#include <ebb/core/error.hpp>
#include <ebb/layers/generation.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

namespace ebb {
namespace {

/// The largest logit. Throws where softmax would not be defined.
double largest(const std::vector<double>& logits) {
    if (logits.empty()) fail<ValueError>("log_probabilities: logits is empty: expected one number for each token");
    double result = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < logits.size(); ++k) {
        // Written so that NaN fails.
        if (!(logits[k] < std::numeric_limits<double>::infinity()))
            fail<ValueError>(
                fmt::format("log_probabilities: logit {} is {}: expected a number or -infinity", k, logits[k]));
        result = std::max(result, logits[k]);
    }
    if (std::isinf(result))
        fail<ValueError>("log_probabilities: all logits are -infinity: expected at least one token that may follow");
    return result;
}

/// Leaves the probabilities of the tokens in `kept` and makes their sum 1.
void keep(std::vector<double>& p, const std::vector<std::size_t>& kept) {
    std::vector<double> left(p.size(), 0.0);
    double sum = 0;
    for (const std::size_t token : kept) sum += p[token];
    for (const std::size_t token : kept) left[token] = p[token] / sum;
    p = std::move(left);
}

}  // namespace

std::vector<double> log_probabilities(const std::vector<double>& logits) {
    const double top = largest(logits);
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - top);
    std::vector<double> result(logits.size());
    std::transform(logits.begin(), logits.end(), result.begin(),
                   [=, log_sum = std::log(sum)](double logit) { return logit - top - log_sum; });
    return result;
}

std::vector<double> sampling_probabilities(const std::vector<double>& logits, const SamplingOptions& options) {
    if (!(options.temperature >= 0 && std::isfinite(options.temperature)))
        fail<ValueError>(fmt::format("sampling_probabilities: temperature is {}: expected a number, at least 0",
                                     options.temperature));
    if (!(options.top_p > 0 && options.top_p <= 1))
        fail<ValueError>(
            fmt::format("sampling_probabilities: top_p is {}: expected above 0, at most 1", options.top_p));
    const double top = largest(logits);

    std::vector<double> p(logits.size());
    if (options.temperature == 0) {
        p[static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())] = 1;
        return p;
    }
    // The largest is subtracted before the division: a small temperature overflows nothing.
    for (std::size_t k = 0; k < p.size(); ++k) p[k] = std::exp((logits[k] - top) / options.temperature);
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& probability : p) probability /= sum;
    if (options.top_k == 0 && options.top_p == 1) return p;

    std::vector<std::size_t> order(p.size());  // the most probable first
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    if (options.top_k > 0 && options.top_k < order.size()) {
        order.resize(options.top_k);
        keep(p, order);
    }
    if (options.top_p < 1) {
        double reached = 0;
        std::size_t size = 0;
        while (size < order.size() && reached < options.top_p) reached += p[order[size++]];
        order.resize(size);
        keep(p, order);
    }
    return p;
}

std::int64_t sample_token(const std::vector<double>& logits, const SamplingOptions& options, Generator& generator) {
    const std::vector<double> p = sampling_probabilities(logits, options);
    const double drawn = generator.uniform();
    double reached = 0;
    std::int64_t token = 0;
    for (std::size_t k = 0; k < p.size(); ++k) {
        if (p[k] == 0) continue;
        // The last possible one stays where rounding lets the sum end below the number drawn.
        token = static_cast<std::int64_t>(k);
        reached += p[k];
        if (drawn < reached) break;
    }
    return token;
}

double beam_score(double log_likelihood, std::size_t length, double penalty) {
    return log_likelihood / std::pow((5 + static_cast<double>(length)) / 6, penalty);
}

BeamSearch::BeamSearch(const BeamOptions& options) : options_(options), live_(1) {
    if (options.width == 0) fail<ValueError>("beam_search: width is 0: expected at least 1");
    if (options.length == 0) fail<ValueError>("beam_search: length is 0: expected at least 1");
    if (!(options.length_penalty >= 0 && std::isfinite(options.length_penalty)))
        fail<ValueError>(
            fmt::format("beam_search: length_penalty is {}: expected a number, at least 0", options.length_penalty));
}

std::vector<BeamSearch::Step> BeamSearch::advance(const std::vector<std::vector<double>>& logits) {
    struct Candidate {
        double log_likelihood;
        Step step;
    };
    std::vector<Candidate> candidates;
    for (std::size_t from = 0; from < live_.size(); ++from) {
        const std::vector<double> log_p = log_probabilities(logits[from]);
        for (std::size_t token = 0; token < log_p.size(); ++token)
            if (std::isfinite(log_p[token]))
                candidates.push_back(
                    {live_[from].log_likelihood + log_p[token], {from, static_cast<std::int64_t>(token)}});
    }
    // Live hypotheses stand in the order of their rank: a stable sort lets equals keep it.
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.log_likelihood > b.log_likelihood; });
    candidates.resize(std::min(candidates.size(), options_.width));

    std::vector<Step> steps;
    std::vector<Hypothesis> live;
    for (const auto& [log_likelihood, step] : candidates) {
        Hypothesis longer = live_[step.from];
        longer.tokens.push_back(step.token);
        longer.log_likelihood = log_likelihood;
        const std::size_t length = longer.tokens.size();
        longer.score = beam_score(log_likelihood, length, options_.length_penalty);
        longer.ended = options_.end_token == step.token;
        if (longer.ended || length == options_.length) {
            ended_.push_back(std::move(longer));
        } else {
            live.push_back(std::move(longer));
            steps.push_back(step);
        }
    }
    live_ = std::move(live);
    return steps;
}

std::vector<Hypothesis> BeamSearch::results() const {
    std::vector<Hypothesis> best = ended_;
    std::stable_sort(best.begin(), best.end(),
                     [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
    best.resize(std::min(best.size(), options_.width));
    return best;
}

}  // namespace ebb
