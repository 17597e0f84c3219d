#include <ebb/core/error.hpp>
#include <ebb/core/file.hpp>
#include <ebb/inspect/data_file.hpp>
#include <ebb/inspect/number_text.hpp>
#include <ebb/inspect/page_data.hpp>
#include <ebb/inspect/palette.hpp>
#include <ebb/inspect/report.hpp>
#include <ebb/inspect/svg.hpp>
#include <ebb/inspect/web_files.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace ebb::inspect {

namespace {

using json = nlohmann::ordered_json;

/// JSON for a script element: `</script>` and `<!--` would end it or change how it is read.
std::string script_json(const json& value) {
    const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text) {
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    }
    return safe;
}

/// Replaces each {{name}} of the template, once: what is put in is not looked at again.
std::string filled(std::string_view page, const std::vector<std::pair<std::string_view, std::string>>& parts) {
    std::string out;
    while (true) {
        const std::size_t open = page.find("{{");
        out += page.substr(0, open);
        if (open == std::string_view::npos) return out;
        const std::size_t close = page.find("}}", open);
        const std::string_view name = page.substr(open + 2, close - open - 2);
        for (const auto& [part, text] : parts)
            if (part == name) out += text;
        page.remove_prefix(close + 2);
    }
}

/// The lines of a paragraph that is code, without the four spaces that make it so; nothing for any other.
std::string code_of(std::string_view paragraph) {
    constexpr std::string_view indent = "    ";
    std::string code;
    while (!paragraph.empty()) {
        if (paragraph.substr(0, indent.size()) != indent) return {};
        const std::size_t end = std::min(paragraph.find('\n'), paragraph.size() - 1) + 1;
        code += paragraph.substr(indent.size(), end - indent.size());
        paragraph.remove_prefix(end);
    }
    return code;
}

std::string paragraphs(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find("\n\n"), text.size());
        const std::string_view paragraph = text.substr(0, end);
        const std::string code = code_of(paragraph);
        if (!code.empty())
            out += fmt::format("<pre><code>{}</code></pre>\n", escape_markup(code));
        else if (paragraph.find_first_not_of(" \t\r\n") != std::string_view::npos)
            out += fmt::format("<p>{}</p>\n", escape_markup(paragraph));
        text.remove_prefix(std::min(end + 2, text.size()));
    }
    return out;
}

std::string heading(const std::string& id, const std::string& title, const std::string& tools) {
    return fmt::format("<div class=\"head\"><h2 id=\"{}-title\"><a href=\"#{}\">{}</a></h2>{}</div>\n", id, id,
                       escape_markup(title), tools);
}

std::string button(std::string_view action, std::string_view text, const std::string& label) {
    return fmt::format("<button type=\"button\" data-do=\"{}\" aria-label=\"{}\" title=\"{}\">{}</button>", action,
                       label, label, text);
}

std::string figure_tools(const std::string& title) {
    const std::string name = escape_markup(title);
    std::string tools = "<div class=\"tools\" role=\"group\" aria-label=\"Download\">";
    tools += button("svg", "SVG", "Download as SVG: " + name);
    tools += button("png", "PNG", "Download as PNG: " + name);
    tools += button("csv", "CSV", "Download the data as CSV: " + name);
    tools += button("enlarge", "⤢", "Fill the screen: " + name);
    return tools + "</div>";
}

template <class Figure>
std::string slider(const std::string& id, const Figure& figure) {
    if (figure.frames.size() < 2) return {};
    const std::size_t last = figure.frames.size() - 1;
    const std::string step_text = format_integer(static_cast<double>(figure.frames[last].step));
    return fmt::format(
        "<div class=\"slider\"><button type=\"button\" data-do=\"play\" aria-label=\"Play\" aria-pressed=\"false\">"
        "<span class=\"play-mark\"></span></button>"
        "<label for=\"{0}-step\">{1}</label>"
        "<input type=\"range\" id=\"{0}-step\" min=\"0\" max=\"{2}\" step=\"1\" value=\"{2}\" aria-valuetext=\"{3}\">"
        "<output for=\"{0}-step\">{3}</output></div>\n",
        id, escape_markup(figure.frame_label), last, step_text);
}

std::string caption_of(const std::string& caption) {
    return caption.empty() ? std::string{} : fmt::format("<p class=\"caption\">{}</p>\n", escape_markup(caption));
}

SvgOptions still_options(Width width) {
    SvgOptions options;
    options.theme = Theme::page;
    if (width == Width::half) {
        options.width = 560;
        options.height = 360;
    } else {
        options.width = 1040;
        options.height = 460;
    }
    return options;
}

template <class Figure>
std::string figure_html(const std::string& id, const Figure& figure, Width width, const std::string& controls) {
    return fmt::format("<section class=\"figure {}\" id=\"{}\" aria-labelledby=\"{}-title\">\n",
                       width == Width::half ? "half" : "full", id, id) +
           heading(id, figure.title, figure_tools(figure.title)) + controls + "<div class=\"legend\"></div>\n" +
           fmt::format(
               "<div class=\"plot\" role=\"application\" aria-label=\"{}\"></div>\n<div class=\"still\">{}</div>\n",
               escape_markup(figure.title + ". Arrow keys walk through its values."),
               to_svg(figure, still_options(width))) +
           "<div class=\"brush-place\"></div>\n<p class=\"window-note\" aria-live=\"polite\"></p>\n"
           "<p class=\"note\" aria-live=\"polite\"></p>\n<p class=\"spoken\" aria-live=\"polite\"></p>\n" +
           caption_of(figure.caption) + "</section>\n";
}

bool is_whole_column(const Table& table, std::size_t column) {
    return std::all_of(table.rows.begin(), table.rows.end(), [&](const std::vector<Cell>& row) {
        const double* value = std::get_if<double>(&row[column]);
        return value == nullptr || (std::trunc(*value) == *value && std::abs(*value) < 1e15);
    });
}

std::string table_html(const std::string& id, const Table& table) {
    std::string out = fmt::format("<section class=\"table full\" id=\"{}\" aria-labelledby=\"{}-title\">\n", id, id);
    const std::string label = "Download the data as CSV: " + escape_markup(table.title);
    out += heading(id, table.title, "<div class=\"tools\">" + button("csv", "CSV", label) + "</div>");
    out += fmt::format(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"{}-title\"><table>\n<thead><tr>", id);
    std::vector<bool> whole;
    std::vector<bool> numeric;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        whole.push_back(is_whole_column(table, i));
        numeric.push_back(std::any_of(table.rows.begin(), table.rows.end(), [&](const std::vector<Cell>& row) {
            return std::holds_alternative<double>(row[i]);
        }));
        const Column& column = table.columns[i];
        out += fmt::format("<th scope=\"col\"{}>{}{}</th>", numeric[i] ? " class=\"number\"" : "",
                           escape_markup(column.header),
                           column.unit.empty() ? "" : fmt::format(" <span>{}</span>", escape_markup(column.unit)));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (const std::vector<Cell>& row : table.rows) {
        out += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i) {
            std::string text;
            if (const double* value = std::get_if<double>(&row[i]))
                text = whole[i] ? format_integer(*value) : format_number(*value, table.columns[i].digits);
            else
                text = escape_markup(std::get<std::string>(row[i]));
            // The first column names its row.
            const bool names_row = i == 0;
            out += fmt::format("<{0}{1}>{2}</{3}>", names_row ? "th scope=\"row\"" : "td",
                               numeric[i] ? " class=\"number\"" : "", text, names_row ? "th" : "td");
        }
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n" + caption_of(table.caption) + "</section>\n";
}

/// How many numbers the frames of all maps and graphs of a page hold at most: 2.7 characters each, and the page
/// promises to stay below 10 MB. Each figure keeps two frames, whatever they take.
constexpr std::size_t most_numbers = 1'200'000;

std::size_t numbers_in_a_frame(const HeatMap& figure) {
    const std::vector<double>& last = figure.frames.back().values;
    return figure.sparse ? static_cast<std::size_t>(
                               std::count_if(last.begin(), last.end(), [](double value) { return !std::isnan(value); }))
                         : last.size();
}
std::size_t numbers_in_a_frame(const GraphFigure& figure) {
    return 2 * figure.graph.nodes.size() + figure.graph.edges.size() + figure.graph.step_edges.size();
}

/// The figure with at most so many of its frames, evenly chosen, the first and the last among them.
template <class Figure>
Figure with_frames(const Figure& figure, std::size_t most) {
    if (figure.frames.size() <= most) return figure;
    Figure fewer = figure;
    for (std::size_t k = 0; k < most; ++k) fewer.frames[k] = figure.frames[k * (figure.frames.size() - 1) / (most - 1)];
    fewer.frames.resize(most);
    return fewer;
}

struct SeverityLook {
    const char* style;
    const char* word;
};
SeverityLook look_of(Severity severity) {
    switch (severity) {
        case Severity::good:
            return {"good", "Good"};
        case Severity::note:
            return {"remark", "Note"};
        case Severity::warning:
            return {"warning", "Warning"};
        case Severity::problem:
            break;
    }
    return {"problem", "Problem"};
}

void make_folder(const char* call, const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error || !std::filesystem::is_directory(folder))
        throw FileError(fmt::format("{}: cannot make the folder {}: {}", call, folder,
                                    error ? error.message() : "something else has its name"));
}

std::string path_in(const std::string& folder, const std::string& name) {
    return (std::filesystem::path(folder) / name).string();
}

}  // namespace

struct Report::Content {
    struct Fact {
        std::string label;
        std::string value;
        std::string detail;
    };
    struct Finding {
        Severity severity;
        std::string finding;
        std::string evidence;
        std::string advice;
    };
    struct Text {
        std::string title;
        std::string text;
    };
    struct Section {
        std::string id;  // its anchor, and the name of its files
        std::variant<Text, LineFigure, HeatMap, GraphFigure, Table> content;
        Width width = Width::full;
    };

    std::string new_id(const std::string& name) const;
    /// The colour that the fewest figures have so far, and none of `taken`.
    std::size_t least_used_colour(const std::set<std::size_t>& taken) const;
    void share_colours(LineFigure& figure);
    /// How many frames of each section's map or graph the page has room for: all share it alike, and what one does not
    /// need is for the others.
    std::vector<std::size_t> frames_with_room() const;
    std::string overview() const;

    std::string title;
    std::string subtitle;
    std::vector<Finding> findings;
    std::vector<Fact> facts;
    std::vector<Section> sections;
    std::map<std::string, std::size_t> colours;  // of series by name
    std::map<std::size_t, std::size_t> figures_with_colour;
};

Report::Report(std::string title, std::string subtitle) : content_(std::make_unique<Content>()) {
    if (title.empty()) throw ValueError("Report: the title is empty");
    content_->title = std::move(title);
    content_->subtitle = std::move(subtitle);
}
Report::Report(const Report& other) : content_(std::make_unique<Content>(*other.content_)) {}
Report::Report(Report&&) noexcept = default;
Report& Report::operator=(Report other) noexcept {
    content_.swap(other.content_);
    return *this;
}
Report::~Report() = default;

Report& Report::add_fact(std::string label, std::string value, std::string detail) {
    if (label.empty() || value.empty())
        throw ValueError(fmt::format("Report::add_fact: the {} is empty", label.empty() ? "label" : "value"));
    content_->facts.push_back({std::move(label), std::move(value), std::move(detail)});
    return *this;
}

Report& Report::add_finding(Severity severity, std::string finding, std::string evidence, std::string advice) {
    if (finding.empty() || evidence.empty())
        throw ValueError(fmt::format("Report::add_finding: the {} is empty", finding.empty() ? "finding" : "evidence"));
    content_->findings.push_back({severity, std::move(finding), std::move(evidence), std::move(advice)});
    return *this;
}

Report& Report::add_text(std::string title, std::string text) {
    if (title.empty() && text.empty()) throw ValueError("Report::add_text: title and text are empty");
    std::string id = content_->new_id(title);
    content_->sections.push_back({std::move(id), Content::Text{std::move(title), std::move(text)}});
    return *this;
}

Report& Report::add(LineFigure figure, Width width) {
    check("Report::add", figure);
    content_->share_colours(figure);
    std::string id = content_->new_id(figure.title);
    content_->sections.push_back({std::move(id), std::move(figure), width});
    return *this;
}

Report& Report::add(HeatMap figure, Width width) {
    check("Report::add", figure);
    std::string id = content_->new_id(figure.title);
    content_->sections.push_back({std::move(id), std::move(figure), width});
    return *this;
}

Report& Report::add(GraphFigure figure) {
    check("Report::add", figure);
    std::string id = content_->new_id(figure.title);
    content_->sections.push_back({std::move(id), std::move(figure)});
    return *this;
}

Report& Report::add(Table table) {
    check("Report::add", table);
    std::string id = content_->new_id(table.title);
    content_->sections.push_back({std::move(id), std::move(table)});
    return *this;
}

std::string Report::Content::new_id(const std::string& name) const {
    const auto is_taken = [&](const std::string& id) {
        return id == "overview" || id == "diagnosis" || id.rfind("ebb-", 0) == 0 ||
               std::any_of(sections.begin(), sections.end(), [&](const Section& section) { return section.id == id; });
    };
    std::string id = slug(name);
    if (id.empty()) id = "section";
    const std::string stem = id;
    for (std::size_t number = 2; is_taken(id); ++number) id = fmt::format("{}-{}", stem, number);
    return id;
}

std::size_t Report::Content::least_used_colour(const std::set<std::size_t>& taken) const {
    std::size_t choice = 0;
    while (taken.contains(choice)) ++choice;
    const auto uses = [&](std::size_t colour) {
        const auto found = figures_with_colour.find(colour);
        return found == figures_with_colour.end() ? 0 : found->second;
    };
    for (std::size_t colour = 0; colour < line_colours.size(); ++colour)
        if (!taken.contains(colour) && uses(colour) < uses(choice)) choice = colour;
    return choice;
}

void Report::Content::share_colours(LineFigure& figure) {
    std::vector<Series*> own;  // those that have a name of their own in the legend
    const auto collect = [&](std::vector<Series>& group) {
        for (Series& series : group)
            if (series.like.empty()) own.push_back(&series);
    };
    for (Frame& frame : figure.frames) collect(frame.series);
    collect(figure.series);

    std::set<std::size_t> here;
    for (Series* series : own) {
        const auto known = colours.find(series->name);
        if (!series->colour && known != colours.end()) series->colour = known->second;
        if (series->colour) here.insert(*series->colour);
    }
    for (Series* series : own) {
        if (!series->colour) {
            const auto known = colours.find(series->name);
            series->colour = known != colours.end() ? known->second : least_used_colour(here);
        }
        here.insert(*series->colour);
        colours.emplace(series->name, *series->colour);
    }
    for (const std::size_t colour : here) ++figures_with_colour[colour];
    assign_colours(figure);
}

std::vector<std::size_t> Report::Content::frames_with_room() const {
    struct Need {
        std::size_t section, frames, numbers;  // in a frame
    };
    std::vector<Need> needs;
    for (std::size_t k = 0; k < sections.size(); ++k) {
        const auto add = [&](const auto* figure) {
            if (figure && figure->frames.size() > 1)
                needs.push_back({k, figure->frames.size(), numbers_in_a_frame(*figure)});
        };
        add(std::get_if<HeatMap>(&sections[k].content));
        add(std::get_if<GraphFigure>(&sections[k].content));
    }
    // Those that need least first: what they leave is for the rest.
    std::sort(needs.begin(), needs.end(),
              [](const Need& a, const Need& b) { return a.frames * a.numbers < b.frames * b.numbers; });
    std::vector<std::size_t> room(sections.size(), 1);
    std::size_t left = most_numbers;
    for (std::size_t k = 0; k < needs.size(); ++k) {
        const Need& need = needs[k];
        const std::size_t share = left / (needs.size() - k);
        room[need.section] = std::clamp<std::size_t>(share / std::max<std::size_t>(need.numbers, 1), 2, need.frames);
        left -= std::min(left, room[need.section] * need.numbers);
    }
    return room;
}

std::string Report::Content::overview() const {
    std::string html;
    if (!findings.empty()) {
        html += "<section class=\"diagnosis\" id=\"diagnosis\" aria-label=\"Diagnosis\">\n<ul>\n";
        for (const Finding& finding : findings) {
            const SeverityLook look = look_of(finding.severity);
            html += fmt::format(
                "<li class=\"{}\"><strong><span>{}</span> {}</strong><p>{}</p>{}</li>\n", look.style, look.word,
                escape_markup(finding.finding), escape_markup(finding.evidence),
                finding.advice.empty() ? "" : fmt::format("<p class=\"advice\">{}</p>", escape_markup(finding.advice)));
        }
        html += "</ul></section>\n";
    }
    if (!facts.empty()) {
        html += "<dl class=\"facts\" id=\"overview\">\n";
        for (const Fact& fact : facts) {
            html += fmt::format(
                "<div><dt>{}</dt><dd>{}{}</dd></div>\n", escape_markup(fact.label), escape_markup(fact.value),
                fact.detail.empty() ? "" : fmt::format(" <small>{}</small>", escape_markup(fact.detail)));
        }
        html += "</dl>\n";
    }
    return html;
}

std::string Report::html() const {
    if (content_->sections.empty() && content_->facts.empty() && content_->findings.empty())
        throw ValueError(fmt::format(
            "Report::html: \"{}\": the report is empty: expected at least one figure, table or text", content_->title));
    std::string contents;
    std::string body;
    bool has_graph = false;
    json data = json::array();
    const std::vector<std::size_t> room = content_->frames_with_room();
    for (std::size_t k = 0; k < content_->sections.size(); ++k) {
        const Content::Section& section = content_->sections[k];
        const std::string& id = section.id;
        std::string title;
        if (const auto* text = std::get_if<Content::Text>(&section.content)) {
            title = text->title;
            body += fmt::format("<section class=\"text full\" id=\"{}\">\n", id);
            if (!title.empty()) body += heading(id, title, "");
            body += paragraphs(text->text) + "</section>\n";
        } else if (const auto* lines = std::get_if<LineFigure>(&section.content)) {
            title = lines->title;
            body += figure_html(id, *lines, section.width, slider(id, *lines));
            data.push_back(page_data(id, *lines));
        } else if (const auto* map = std::get_if<HeatMap>(&section.content)) {
            title = map->title;
            const HeatMap shown = with_frames(*map, room[k]);
            body += figure_html(id, shown, section.width, slider(id, shown));
            data.push_back(page_data(id, shown));
        } else if (const auto* graph = std::get_if<GraphFigure>(&section.content)) {
            title = graph->title;
            const GraphFigure shown = with_frames(*graph, room[k]);
            body += figure_html(id, shown, section.width, slider(id, shown));
            data.push_back(page_data(id, shown));
            has_graph = true;
        } else {
            const auto& table = std::get<Table>(section.content);
            title = table.title;
            body += table_html(id, table);
            data.push_back(page_data(id, table));
        }
        if (!title.empty()) contents += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", id, escape_markup(title));
    }

    const auto script = [](std::string_view text) {
        return text.empty() ? std::string{} : fmt::format("<script>{}</script>\n", text);
    };
    std::string credits = "<p>Made with Ebb";
    credits += interactive()
                   ? ", drawn by Vega, Vega-Lite and Cytoscape.js.</p>\n<details><summary>Licences</summary><pre>" +
                         escape_markup(web::licences) + "</pre></details>\n"
                   : ".</p>\n";
    return filled(
        web::page_template,
        {{"title", escape_markup(content_->title)},
         {"subtitle", content_->subtitle.empty()
                          ? ""
                          : fmt::format("<p class=\"subtitle\">{}</p>", escape_markup(content_->subtitle))},
         {"style", std::string{web::style}},
         {"overview", content_->overview()},
         {"contents",
          content_->sections.size() < 2 ? "" : "<nav aria-label=\"Contents\"><ul>\n" + contents + "</ul></nav>"},
         {"body", body},
         {"static", interactive() ? ""
                                  : fmt::format("<p class=\"why-static\">The figures are still pictures. {}</p>",
                                                escape_markup(why_static()))},
         {"credits", credits},
         {"data", script_json(data)},
         {"libraries", script(web::vega) + script(web::vega_lite) + script(has_graph ? web::cytoscape : "")},
         {"script", std::string{web::script}}});
}

void Report::save(const std::string& path) const {
    write_file_atomically(path, html());
}

std::vector<std::string> Report::save_svg(const std::string& folder) const {
    make_folder("Report::save_svg", folder);
    std::vector<std::string> paths;
    for (const Content::Section& section : content_->sections) {
        const std::string path = path_in(folder, section.id + ".svg");
        if (const auto* lines = std::get_if<LineFigure>(&section.content))
            inspect::save_svg(path, *lines);
        else if (const auto* map = std::get_if<HeatMap>(&section.content))
            inspect::save_svg(path, *map);
        else if (const auto* graph = std::get_if<GraphFigure>(&section.content))
            inspect::save_svg(path, *graph);
        else
            continue;
        paths.push_back(path);
    }
    return paths;
}

std::vector<std::string> Report::save_data(const std::string& folder) const {
    make_folder("Report::save_data", folder);
    std::vector<std::string> paths;
    const auto save_both = [&](const std::string& id, const auto& content) {
        paths.push_back(path_in(folder, id + ".csv"));
        save_csv(paths.back(), content);
        paths.push_back(path_in(folder, id + ".json"));
        save_json(paths.back(), content);
    };
    for (const Content::Section& section : content_->sections) {
        if (const auto* lines = std::get_if<LineFigure>(&section.content))
            save_both(section.id, *lines);
        else if (const auto* map = std::get_if<HeatMap>(&section.content))
            save_both(section.id, *map);
        else if (const auto* graph = std::get_if<GraphFigure>(&section.content))
            save_both(section.id, *graph);
        else if (const auto* table = std::get_if<Table>(&section.content))
            save_both(section.id, *table);
    }
    return paths;
}

bool Report::interactive() {
    return !web::vega.empty() && !web::vega_lite.empty() && !web::cytoscape.empty();
}

std::string_view Report::why_static() {
    return web::why_static;
}

}  // namespace ebb::inspect
