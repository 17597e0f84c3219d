#include <ebb/optim/progress_bar.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ebb {

namespace {

/// Seconds over which the speed is averaged.
constexpr double averaged_over = 5;
constexpr std::size_t longest_name = 24;
constexpr std::size_t shortest_bar = 8;
constexpr std::size_t longest_bar = 40;

int descriptor(const std::ostream& stream) {
    if (&stream == &std::cerr || &stream == &std::clog) return STDERR_FILENO;
    return &stream == &std::cout ? STDOUT_FILENO : -1;
}

std::string environment(const char* variable) {
    const char* const value = std::getenv(variable);
    return value ? value : "";
}

bool is_terminal(const std::ostream& stream) {
    const int file = descriptor(stream);
    const std::string type = environment("TERM");
    return file >= 0 && isatty(file) && !type.empty() && type != "dumb";
}

bool locale_is_utf8() {
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string locale = environment(variable);
        if (locale.empty()) continue;
        for (const char* name : {"UTF-8", "utf-8", "UTF8", "utf8"})
            if (locale.find(name) != std::string::npos) return true;
        return false;
    }
    return false;
}

TerminalSize size_of(int file) {
    TerminalSize result;
    winsize window{};
    if (file >= 0 && ioctl(file, TIOCGWINSZ, &window) == 0) {
        // A serial console knows no size and says 0.
        if (window.ws_col > 0) result.columns = window.ws_col;
        if (window.ws_row > 0) result.rows = window.ws_row;
    }
    return result;
}

double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
}

/// Columns of UTF-8 text, one for each character.
std::size_t width(std::string_view text) {
    return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

/// The first `columns` characters.
std::string_view shortened(std::string_view text, std::size_t columns) {
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
        if (continues_character(text[end])) continue;
        if (columns-- == 0) break;
    }
    return text.substr(0, end);
}

/// A newline or an escape in a name would break the lines apart.
std::string one_line(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
    return result;
}

void append_repeated(std::string& text, std::string_view piece, std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) text += piece;
}

/// Three digits or four in at most seven characters.
std::string short_number(double x) {
    const double size = std::abs(x);
    if (!std::isfinite(x)) return fmt::format("{}", x);
    if (x == 0) return "0";
    if (size >= 99999.5 || size < 0.001) return fmt::format("{:.1e}", x);
    return fmt::format("{:.{}f}", x,
                       size >= 999.95   ? 0
                       : size >= 99.995 ? 1
                       : size >= 9.9995 ? 2
                       : size >= 0.1    ? 3
                                        : 4);
}

std::string speed(double steps_per_second) {
    if (!(steps_per_second > 0)) return "";
    return fmt::format("{:.{}f} steps/s", steps_per_second, steps_per_second >= 9.995 ? 0 : 2);
}

/// "0:07", "12:05", "1:02:03", "12 days".
std::string clock_time(double seconds) {
    if (!(seconds < 359999)) return fmt::format("{:.0f} days", std::min(seconds / 86400, 9999.0));
    const auto all = static_cast<long>(std::ceil(seconds));
    const long hours = all / 3600, minutes = all / 60 % 60;
    return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60)
                     : fmt::format("{}:{:02}", minutes, all % 60);
}

std::string duration(double seconds) {
    if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
    return clock_time(seconds);
}

}  // namespace

/// What all bars share: their numbers, behind one mutex, and the lines that are on the terminal now.
class Progress::Display {
  public:
    explicit Display(ProgressOptions options) : options_(std::move(options)) {
        if (!options_.stream) options_.stream = &std::cerr;
        if (!options_.terminal) options_.terminal = is_terminal(*options_.stream);
        if (!options_.utf8) options_.utf8 = locale_is_utf8();
        if (!options_.clock) options_.clock = &steady_seconds;
        if (!options_.size) options_.size = [file = descriptor(*options_.stream)] { return size_of(file); };
    }

    std::size_t add(std::string_view name, std::int64_t steps) {
        if (!*options_.terminal) return 0;
        const std::lock_guard lock(mutex_);
        const double now = options_.clock();
        bars_.push_back({.id = ++last_id_,
                         .name = std::string(shortened(one_line(name), longest_name)),
                         .steps = std::max<std::int64_t>(steps, 0),
                         .started = now,
                         .sampled = now});
        name_width_ = std::max(name_width_, width(bars_.back().name));
        draw(now);
        return last_id_;
    }

    void update(std::size_t id, std::int64_t done, double loss, double gradient_norm) {
        if (!*options_.terminal) return;
        const std::lock_guard lock(mutex_);
        const auto bar = find(id);
        if (bar == bars_.end()) return;
        bar->done = done;
        bar->loss = loss;
        bar->gradient_norm = gradient_norm;
        const double now = options_.clock();
        if (done >= bar->steps) {
            end(bar, now);
            return;
        }
        if (now - bar->sampled >= options_.interval) {
            // The plain average of the first seconds, then one that forgets: it is at once steady and up to date.
            const double elapsed = now - bar->sampled;
            const double weight = std::min(1.0, elapsed / std::min(now - bar->started, averaged_over));
            const double rate = static_cast<double>(done - bar->sampled_done) / elapsed;
            bar->rate += weight * (rate - bar->rate);
            bar->sampled = now;
            bar->sampled_done = done;
        }
        if (now - drawn_at_ >= options_.interval) draw(now);
    }

    void end(std::size_t id) {
        if (!*options_.terminal) return;
        const std::lock_guard lock(mutex_);
        if (const auto bar = find(id); bar != bars_.end()) end(bar, options_.clock());
    }

    void print(std::string_view line) {
        const std::lock_guard lock(mutex_);
        if (*options_.terminal) {
            above_.emplace_back(line);
            draw(options_.clock());
        } else {
            *options_.stream << line << '\n' << std::flush;
        }
    }

  private:
    struct Bar {
        std::size_t id;
        std::string name;
        std::int64_t steps;
        double started;
        double sampled;  // when `rate` was last brought up to date
        std::int64_t sampled_done = 0;
        std::int64_t done = 0;
        double loss = std::numeric_limits<double>::quiet_NaN();
        double gradient_norm = std::numeric_limits<double>::quiet_NaN();
        double rate = 0;  // steps per second
    };
    using Place = std::vector<Bar>::iterator;

    Place find(std::size_t id) {
        return std::find_if(bars_.begin(), bars_.end(), [id](const Bar& bar) { return bar.id == id; });
    }

    void end(Place bar, double now) {
        above_.push_back(last_line(*bar, now));
        bars_.erase(bar);
        draw(now);
    }

    std::string padded_name(const Bar& bar) const {
        std::string text = bar.name;
        if (name_width_ > 0) text.append(name_width_ - width(bar.name) + 2, ' ');
        return text;
    }

    /// "LSTM  1000 steps in 12.3 s, 81 steps/s  loss 1.234  |g| 0.456"
    std::string last_line(const Bar& bar, double now) const {
        const double seconds = now - bar.started;
        std::string text = padded_name(bar);
        if (bar.done >= bar.steps)
            text += fmt::format("{} steps in {}", bar.done, duration(seconds));
        else
            text += fmt::format("stopped after {} of {} steps, {}", bar.done, bar.steps, duration(seconds));
        if (bar.done > 0) {
            if (seconds > 0) text += ", " + speed(static_cast<double>(bar.done) / seconds);
            text += fmt::format("  loss {}  |g| {}", short_number(bar.loss), short_number(bar.gradient_norm));
        }
        return text;
    }

    /// The line of a bar that runs, at most `columns` wide.
    std::string line(const Bar& bar, std::size_t columns, double now) const {
        const double share =
            bar.steps > 0 ? std::clamp(static_cast<double>(bar.done) / static_cast<double>(bar.steps), 0.0, 1.0) : 1.0;
        std::string head = padded_name(bar);
        head += fmt::format("{:3.0f}%", std::floor(100 * share));

        // The numbers, each as wide as it ever gets, and blank before the first, so that nothing jumps.
        const bool started = bar.done > 0, measured = bar.rate > 0;
        // The time since the last measurement has passed already.
        const double seconds =
            measured ? static_cast<double>(bar.steps - bar.sampled_done) / bar.rate - (now - bar.sampled) : 0;
        std::string loss = fmt::format("  {:<12}", started ? "loss " + short_number(bar.loss) : "");
        std::string norm = fmt::format("  {:<11}", started ? "|g| " + short_number(bar.gradient_norm) : "");
        std::string rate = fmt::format("  {:>12}", speed(bar.rate));
        std::string left = fmt::format("  {:>12}", measured ? clock_time(std::max(seconds, 0.0)) + " left" : "");
        // What a narrow terminal has no room for goes: first the speed, then the norm, the bar itself, the time.
        const std::size_t bar_width = shortest_bar + 3;
        std::string* const by_importance[] = {&loss, &left, nullptr, &norm, &rate};
        std::size_t used = width(head);
        bool has_bar = false, full = false;
        for (std::string* field : by_importance) {
            const std::size_t more = field ? width(*field) : bar_width;
            full = full || used + more > columns;
            if (full) {
                if (field) field->clear();
            } else {
                used += more;
                has_bar = has_bar || !field;
            }
        }
        std::string text = std::move(head);
        if (has_bar) {
            const std::size_t length = std::min(shortest_bar + columns - used, longest_bar);
            const auto filled = static_cast<std::size_t>(share * static_cast<double>(length));
            const bool utf8 = *options_.utf8;
            text += utf8 ? "  " : " [";
            append_repeated(text, utf8 ? "━" : "=", filled);
            const bool tip = !utf8 && filled < length;
            if (tip) text += '>';
            append_repeated(text, utf8 ? "─" : " ", length - filled - (tip ? 1 : 0));
            text += utf8 ? ' ' : ']';
        }
        text += loss + norm + rate + left;
        while (!text.empty() && text.back() == ' ') text.pop_back();
        return std::string(shortened(text, columns));
    }

    /// Goes up to the first line that is drawn, and writes all again in one piece.
    void draw(double now) {
        const TerminalSize size = options_.size();
        // In its last column a terminal wraps; in its last row it scrolls.
        const std::size_t columns = std::max<std::size_t>(size.columns, 2) - 1;
        const std::size_t rows = std::max<std::size_t>(size.rows, 3) - 1;
        const std::size_t shown = bars_.size() <= rows ? bars_.size() : rows - 1;
        std::string text;
        if (lines_drawn_ > 0) text = fmt::format("\x1b[{}A", lines_drawn_);
        const auto put = [&text](std::string_view line) {
            text += '\r';
            text += line;
            text += "\x1b[K\n";  // what an earlier, longer line has left
        };
        for (const std::string& line : above_) put(line);
        above_.clear();
        for (std::size_t i = 0; i < shown; ++i) put(line(bars_[i], columns, now));
        lines_drawn_ = shown;
        if (shown < bars_.size()) {
            put(shortened(fmt::format("and {} more", bars_.size() - shown), columns));
            ++lines_drawn_;
        }
        text += "\x1b[J";
        options_.stream->write(text.data(), static_cast<std::streamsize>(text.size()));
        options_.stream->flush();
        drawn_at_ = now;
    }

    ProgressOptions options_;
    std::mutex mutex_;
    std::vector<Bar> bars_;           // those that run, in the order in which they were added
    std::vector<std::string> above_;  // to be written once, above the bars
    std::size_t last_id_ = 0;
    std::size_t name_width_ = 0;  // of the longest name so far
    std::size_t lines_drawn_ = 0;
    double drawn_at_ = 0;
};

Progress::Progress(ProgressOptions options) : display_(std::make_shared<Display>(std::move(options))) {}

ProgressBar Progress::add(std::string name, std::int64_t steps) const {
    return ProgressBar(display_, display_->add(name, steps));
}

void Progress::print(std::string_view line) const {
    display_->print(line);
}

ProgressBar::ProgressBar(std::string name, std::int64_t steps, ProgressOptions options)
    : ProgressBar(Progress(std::move(options)).add(std::move(name), steps)) {}

ProgressBar::ProgressBar(std::shared_ptr<Progress::Display> display, std::size_t id) noexcept
    : display_(std::move(display)), id_(id) {}

ProgressBar::~ProgressBar() {
    finish();
}

ProgressBar::ProgressBar(ProgressBar&& other) noexcept = default;

ProgressBar& ProgressBar::operator=(ProgressBar&& other) noexcept {
    if (this != &other) {
        finish();
        display_ = std::move(other.display_);
        id_ = other.id_;
    }
    return *this;
}

void ProgressBar::update(std::int64_t done, double loss, double gradient_norm) {
    if (display_) display_->update(id_, done, loss, gradient_norm);
}

void ProgressBar::finish() {
    if (display_) display_->end(id_);
}

}  // namespace ebb
