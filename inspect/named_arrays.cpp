#include <ebb/core/shape.hpp>
#include <ebb/inspect/named_arrays.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace ebb::inspect {
namespace {

Array<double> empty_array(const Shape& shape) {
    return Array<double>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
}

template <class Number>
Array<double> vector_of(const std::vector<Number>& numbers) {
    Array<double> result = empty_array({numbers.size()});
    std::transform(numbers.begin(), numbers.end(), result.data(), [](Number n) { return static_cast<double>(n); });
    return result;
}

Array<double> matrix_of(const std::vector<double>& numbers, std::size_t rows) {
    Array<double> result = empty_array({rows, rows == 0 ? 0 : numbers.size() / rows});
    std::copy(numbers.begin(), numbers.end(), result.data());
    return result;
}

/// Rows of different lengths: the shorter ones end in NaN.
template <class Row>
Array<double> matrix_of(const std::vector<Row>& rows) {
    std::size_t columns = 0;
    for (const Row& row : rows) columns = std::max(columns, row.size());
    Array<double> result = empty_array({rows.size(), columns});
    result.fill(std::numeric_limits<double>::quiet_NaN());
    for (std::size_t r = 0; r < rows.size(); ++r)
        std::transform(rows[r].begin(), rows[r].end(), result.data() + r * columns,
                       [](auto n) { return static_cast<double>(n); });
    return result;
}

void add_spectra(NamedArrays& arrays, const std::string& name, const std::vector<Spectrum>& spectra) {
    std::vector<std::vector<double>> singular_values;
    std::vector<double> radius;
    for (const Spectrum& spectrum : spectra) {
        singular_values.push_back(spectrum.singular_values);
        radius.push_back(spectrum.radius);
    }
    arrays[name + ".singular_values"] = matrix_of(singular_values);
    arrays[name + ".radius"] = vector_of(radius);
}

/// What the lists of one field of one thing were over the records of a history.
class Rows {
  public:
    explicit Rows(std::size_t records) : records_(records) {}
    template <class Number>
    void set(const std::string& name, std::size_t record, const std::vector<Number>& numbers) {
        std::vector<std::vector<double>>& rows = rows_[name];
        rows.resize(records_);
        rows[record].assign(numbers.begin(), numbers.end());
    }
    void set(const std::string& name, std::size_t record, double number) {
        std::vector<double>& column = columns_[name];
        column.resize(records_, std::numeric_limits<double>::quiet_NaN());
        column[record] = number;
    }
    /// A matrix for each record, row-major, with so many columns.
    void set_matrix(const std::string& name, std::size_t record, const std::vector<double>& numbers,
                    std::size_t columns) {
        std::vector<Matrix>& matrices = matrices_[name];
        matrices.resize(records_);
        matrices[record] = {numbers, columns};
    }
    NamedArrays arrays() const {
        NamedArrays result;
        for (const auto& entry : matrices_) result[entry.first] = stacked(entry.second);
        for (const auto& entry : rows_) result[entry.first] = matrix_of(entry.second);
        for (const auto& entry : columns_) result[entry.first] = vector_of(entry.second);
        return result;
    }

  private:
    struct Matrix {
        std::vector<double> numbers;
        std::size_t columns = 0;
        std::size_t rows() const { return columns == 0 ? 0 : numbers.size() / columns; }
    };
    /// [records, rows, columns], as many as the largest has.
    static Array<double> stacked(const std::vector<Matrix>& matrices) {
        std::size_t rows = 0, columns = 0;
        for (const Matrix& matrix : matrices) {
            rows = std::max(rows, matrix.rows());
            columns = std::max(columns, matrix.columns);
        }
        Array<double> result = empty_array({matrices.size(), rows, columns});
        result.fill(std::numeric_limits<double>::quiet_NaN());
        for (std::size_t m = 0; m < matrices.size(); ++m)
            for (std::size_t r = 0; r < matrices[m].rows(); ++r)
                std::copy_n(matrices[m].numbers.data() + r * matrices[m].columns, matrices[m].columns,
                            result.data() + (m * rows + r) * columns);
        return result;
    }

    std::size_t records_;
    std::map<std::string, std::vector<Matrix>> matrices_;
    std::map<std::string, std::vector<std::vector<double>>> rows_;
    std::map<std::string, std::vector<double>> columns_;
};

/// f(field, numbers) for every list of a state or a gate.
template <class F>
void for_each_list(const StateFlow& state, const F& f) {
    f(".time_step", state.time_step);
    f(".grad_norm", state.grad_norm);
    f(".value_norm", state.value_norm);
    f(".saturation", state.saturation);
}
template <class F>
void for_each_list(const GateFlow& gate, const F& f) {
    f(".time_step", gate.time_step);
    f(".mean", gate.mean);
    f(".closed", gate.closed);
    f(".open", gate.open);
}

/// As numpy.histogram gives it: counts, and one edge more.
void set_histogram(Rows& rows, const std::string& name, std::size_t record, const Histogram& histogram) {
    std::vector<double> edges;
    for (std::size_t bin = 0; bin <= histogram.count.size(); ++bin) edges.push_back(histogram.edge(bin));
    rows.set(name + ".count", record, histogram.count);
    rows.set(name + ".edges", record, edges);
    rows.set(name + ".zeros", record, static_cast<double>(histogram.zeros));
    rows.set(name + ".nonfinite", record, static_cast<double>(histogram.nonfinite));
}

void set_units(Rows& rows, const std::string& name, std::size_t record, const UnitFlow& flow) {
    rows.set(name + ".time_step", record, flow.time_step);
    rows.set(name + ".grad_norm", record, flow.grad_norm);
    rows.set_matrix(name + ".unit_grad_norm", record, flow.unit_grad_norm, flow.units);
    rows.set_matrix(name + ".unit_mean", record, flow.unit_mean, flow.units);
    rows.set_matrix(name + ".unit_saturation", record, flow.unit_saturation, flow.units);
    rows.set_matrix(name + ".sample_grad_norm", record, flow.sample_grad_norm, flow.samples);
}

std::vector<double> or_nan(const std::vector<std::optional<double>>& numbers) {
    std::vector<double> values;
    for (const std::optional<double>& number : numbers)
        values.push_back(number.value_or(std::numeric_limits<double>::quiet_NaN()));
    return values;
}

void set_spectra(Rows& rows, const std::string& name, std::size_t record, const std::vector<Spectrum>& spectra) {
    std::vector<double> singular_values, radius;
    for (const Spectrum& spectrum : spectra) {
        singular_values.insert(singular_values.end(), spectrum.singular_values.begin(), spectrum.singular_values.end());
        radius.push_back(spectrum.radius);
    }
    rows.set_matrix(name + ".singular_values", record, singular_values,
                    spectra.empty() ? 0 : spectra.front().singular_values.size());
    rows.set(name + ".radius", record, radius);
}

}  // namespace

template <class T>
NamedArrays named_arrays(const GradientFlow<T>& flow) {
    NamedArrays arrays;
    const auto add = [&](const auto& of_one) {
        for_each_list(
            of_one, [&](const char* field, const auto& numbers) { arrays[of_one.name + field] = vector_of(numbers); });
    };
    for (const StateFlow& state : flow.states()) add(state);
    for (const GateFlow& gate : flow.gates()) add(gate);
    return arrays;
}

NamedArrays named_arrays(const WeightContributions& contributions) {
    const std::string name = contributions.parameter + ".contribution";
    return {{name + ".time_step", vector_of(contributions.time_step)}, {name + ".norm", vector_of(contributions.norm)}};
}

NamedArrays named_arrays(const ContributionAlignment& alignment) {
    const std::string name = alignment.parameter + ".contribution";
    return {{name + ".time_step", vector_of(alignment.time_step)},
            {name + ".norm", vector_of(alignment.norm)},
            {name + ".cosine", vector_of(alignment.cosine)},
            {name + ".share", vector_of(alignment.share)}};
}

NamedArrays named_arrays(const UnitFlow& flow) {
    const std::string name = flow.name + ".units";
    const std::size_t steps = flow.time_step.size();
    return {{name + ".time_step", vector_of(flow.time_step)},
            {name + ".grad_norm", vector_of(flow.grad_norm)},
            {name + ".unit_grad_norm", matrix_of(flow.unit_grad_norm, steps)},
            {name + ".unit_mean", matrix_of(flow.unit_mean, steps)},
            {name + ".unit_saturation", matrix_of(flow.unit_saturation, steps)},
            {name + ".sample_grad_norm", matrix_of(flow.sample_grad_norm, steps)}};
}

NamedArrays named_arrays(const UnitGate& gate) {
    const std::string name = gate.name + ".units";
    const std::size_t steps = gate.time_step.size();
    return {
        {name + ".time_step", vector_of(gate.time_step)},           {name + ".mean", matrix_of(gate.mean, steps)},
        {name + ".closed", matrix_of(gate.closed, steps)},          {name + ".open", matrix_of(gate.open, steps)},
        {name + ".geometric_mean", vector_of(gate.geometric_mean)}, {name + ".half_life", vector_of(gate.half_life)}};
}

NamedArrays named_arrays(const LossToState& triangle) {
    const std::string name = triangle.state + ".loss_to_state";
    return {{name + ".loss_step", vector_of(triangle.loss_step)},
            {name + ".time_step", vector_of(triangle.time_step)},
            {name + ".norm", matrix_of(triangle.norm, triangle.loss_step.size())}};
}

NamedArrays named_arrays(const JacobianSpectrum& spectrum) {
    NamedArrays arrays{{spectrum.state + ".jacobian.time_step", vector_of(spectrum.time_step)},
                       {spectrum.state + ".lyapunov.exponents", vector_of(spectrum.lyapunov.exponents)},
                       {spectrum.state + ".lyapunov.running", matrix_of(spectrum.lyapunov.running)}};
    add_spectra(arrays, spectrum.state + ".jacobian.step", spectrum.step);
    add_spectra(arrays, spectrum.state + ".jacobian.product", spectrum.product);
    return arrays;
}

NamedArrays named_arrays(const LossSurface& surface) {
    Array<double> centre = empty_array({});
    centre.data()[0] = surface.centre;
    return {{"surface.alpha", vector_of(surface.alpha)},
            {"surface.beta", vector_of(surface.beta)},
            {"surface.loss", matrix_of(surface.loss, surface.beta.size())},
            {"surface.centre", std::move(centre)}};
}

NamedArrays named_arrays(const FlowHistory& history) {
    const std::string prefix = "history.";
    Rows rows(history.records.size());
    for (std::size_t r = 0; r < history.records.size(); ++r) {
        const FlowRecord& record = history.records[r];
        rows.set(prefix + "step", r, static_cast<double>(record.facts.step));
        rows.set(prefix + "loss", r, record.facts.loss);
        rows.set(prefix + "grad_norm", r, record.facts.grad_norm);
        rows.set(prefix + "clipped", r, record.facts.clipped ? 1 : 0);
        const auto add = [&](const auto& of_one) {
            for_each_list(of_one, [&](const char* field, const auto& numbers) {
                rows.set(prefix + of_one.name + field, r, numbers);
            });
        };
        for (const StateFlow& state : record.states) add(state);
        for (const GateFlow& gate : record.gates) add(gate);
        for (const WeightContributions& contributions : record.contributions)
            rows.set(prefix + contributions.parameter + ".contribution", r, contributions.norm);
        for (const ParameterRecord& parameter : record.parameters) {
            const std::string name = prefix + parameter.name;
            rows.set(name + ".value_norm", r, parameter.value_norm);
            rows.set(name + ".grad_norm", r, parameter.grad_norm);
            rows.set(name + ".update_ratio", r, parameter.update_ratio);
            if (!parameter.spectral_radius.empty()) rows.set(name + ".spectral_radius", r, parameter.spectral_radius);
            if (!parameter.values.count.empty()) set_histogram(rows, name + ".values", r, parameter.values);
            if (!parameter.gradients.count.empty()) set_histogram(rows, name + ".gradients", r, parameter.gradients);
        }
        for (const UnitFlow& flow : record.units) set_units(rows, prefix + flow.name + ".units", r, flow);
        for (const UnitGate& gate : record.unit_gates) {
            const std::string name = prefix + gate.name + ".units";
            rows.set(name + ".time_step", r, gate.time_step);
            rows.set_matrix(name + ".mean", r, gate.mean, gate.units);
            rows.set_matrix(name + ".closed", r, gate.closed, gate.units);
            rows.set_matrix(name + ".open", r, gate.open, gate.units);
            rows.set(name + ".geometric_mean", r, gate.geometric_mean);
            rows.set(name + ".half_life", r, gate.half_life);
        }
        for (const ContributionAlignment& alignment : record.alignments) {
            rows.set(prefix + alignment.parameter + ".contribution.cosine", r, alignment.cosine);
            rows.set(prefix + alignment.parameter + ".contribution.share", r, alignment.share);
        }
        for (const LossToState& triangle : record.triangles) {
            const std::string name = prefix + triangle.state + ".loss_to_state";
            rows.set(name + ".loss_step", r, triangle.loss_step);
            rows.set(name + ".time_step", r, triangle.time_step);
            rows.set_matrix(name + ".norm", r, triangle.norm, triangle.time_step.size());
        }
        if (record.surface) {
            rows.set(prefix + "surface.alpha", r, record.surface->alpha);
            rows.set(prefix + "surface.beta", r, record.surface->beta);
            rows.set_matrix(prefix + "surface.loss", r, record.surface->loss, record.surface->alpha.size());
            rows.set(prefix + "surface.centre", r, record.surface->centre);
        }
        if (record.graph) {
            rows.set(prefix + "graph.node.value_norm", r, record.graph->value_norm);
            rows.set(prefix + "graph.node.grad_norm", r, or_nan(record.graph->grad_norm));
            rows.set(prefix + "graph.edge.grad_norm", r, or_nan(record.graph->edge));
        }
        for (const JacobianSpectrum& spectrum : record.spectra) {
            const std::string name = prefix + spectrum.state;
            rows.set(name + ".jacobian.time_step", r, spectrum.time_step);
            set_spectra(rows, name + ".jacobian.step", r, spectrum.step);
            set_spectra(rows, name + ".jacobian.product", r, spectrum.product);
            rows.set(name + ".lyapunov.exponents", r, spectrum.lyapunov.exponents);
        }
    }
    NamedArrays arrays = rows.arrays();
    const auto add_intervals = [&](const char* field, const auto& member) {
        std::vector<double> numbers;
        for (const StepInterval& interval : history.intervals) numbers.push_back(static_cast<double>(interval.*member));
        arrays[prefix + "interval." + field] = vector_of(numbers);
    };
    add_intervals("first_step", &StepInterval::first_step);
    add_intervals("steps", &StepInterval::steps);
    add_intervals("clipped", &StepInterval::clipped);
    add_intervals("mean_loss", &StepInterval::mean_loss);
    add_intervals("mean_grad_norm", &StepInterval::mean_grad_norm);
    add_intervals("largest_grad_norm", &StepInterval::largest_grad_norm);
    return arrays;
}

template NamedArrays named_arrays(const GradientFlow<float>&);
template NamedArrays named_arrays(const GradientFlow<double>&);

}  // namespace ebb::inspect
