#include "gradient_flow/task.hpp"

#include "gradient_flow/memory_tasks.hpp"
#include "gradient_flow/series_task.hpp"
#include "gradient_flow/text_task.hpp"

namespace lab {

Batch empty_batch(const Ports& ports, std::size_t T, std::size_t K, std::size_t B) {
    Batch batch;
    if (ports.symbols > 0)
        batch.symbols = ebb::Indices::from_shape({T, B});
    else
        batch.numbers = ebb::Array<double>::from_shape({T, B, ports.numbers});
    if (ports.classes)
        batch.classes = ebb::Indices::from_shape({K, B});
    else
        batch.values = ebb::Array<double>::from_shape({K, B, ports.outputs});
    return batch;
}

Sources read_sources(const Options& options, const std::vector<TaskName>& tasks) {
    Sources sources;
    for (const TaskName task : tasks) {
        if (task == TaskName::text && !sources.text)
            sources.text = options.text.empty() ? tutorial::default_corpus()
                                                : tutorial::read_corpus(options.text, "gradient_flow");
        if (task == TaskName::series && !sources.series) sources.series = read_series(options.csv, options.columns);
    }
    return sources;
}

std::unique_ptr<Task> make_task(const Options& options, const Sources& sources) {
    const std::size_t T = options.length;
    switch (options.task) {
        case TaskName::adding:
            return std::make_unique<AddingTask>(T);
        case TaskName::copying:
            return std::make_unique<CopyingTask>(T);
        case TaskName::order:
            return std::make_unique<TemporalOrderTask>(T);
        case TaskName::echo:
            return std::make_unique<EchoTask>(T, options.delay);
        case TaskName::series:
            return std::make_unique<SeriesTask>(sources.series.value(), T);
        case TaskName::text:
            break;
    }
    return std::make_unique<TextTask>(sources.text.value(), T);
}

}  // namespace lab
