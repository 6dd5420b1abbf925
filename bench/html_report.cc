// SPDX-License-Identifier: MIT
// One page: a curve for each work that has a parameter, bars of ratios for the others, and the
// figures below.
#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace oblea::bench {
namespace {

constexpr char kHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>oblea-bench</title><style>
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}figure{display:inline-block;margin:1rem}
figcaption{font-weight:600}table{border-collapse:collapse;font-size:13px}
td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #eee}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
svg text{font:11px system-ui,sans-serif;fill:#333}.grid{stroke:#ddd}.one{stroke:#888;stroke-dasharray:4 3}
</style></head><body><h1>oblea-bench</h1>
)";

constexpr std::array<char const*, 7> kColours{"#444444", "#d1495b", "#edae49", "#00798c",
                                              "#6a4c93", "#8ab17d", "#9c6644"};

constexpr double kWidth = 420;
constexpr double kHeight = 260;
constexpr double kLeft = 62;
constexpr double kBottom = 34;
constexpr double kTop = 12;
constexpr double kRight = 12;

std::string escaped(std::string const& text) {
    std::string safe;
    for (char const letter : text) {
        switch (letter) {
        case '<':
            safe += "&lt;";
            break;
        case '&':
            safe += "&amp;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += letter;
        }
    }
    return safe;
}

// Colours go with subjects through the whole page.
class Legend {
public:
    explicit Legend(Results const& results) {
        for (Series const& series : results.series()) {
            if (std::ranges::find(subjects_, series.subject) == subjects_.end()) {
                subjects_.push_back(series.subject);
            }
        }
    }
    [[nodiscard]] char const* colour(std::string const& subject) const {
        auto const at = std::ranges::find(subjects_, subject) - subjects_.begin();
        return kColours.at(static_cast<std::size_t>(at) % kColours.size());
    }
    [[nodiscard]] std::string html() const {
        std::string text = "<p>";
        for (std::string const& subject : subjects_) {
            text += fmt::format("<span style=\"color:{}\">&#9632;</span> {} &nbsp; ",
                                colour(subject), escaped(subject));
        }
        return text + "</p>\n";
    }

private:
    std::vector<std::string> subjects_;
};

// Both axes are logarithmic: layers and sizes grow by factors, and so do times.
struct Axis {
    double from = 0, to = 1;    // logarithms
    double begin = 0, end = 0;  // on the picture

    [[nodiscard]] double at(double value) const {
        double const share = to > from ? (std::log10(value) - from) / (to - from) : 0.5;
        return begin + share * (end - begin);
    }
};

Axis axis_over(std::vector<double> const& values, double begin, double end) {
    auto const [low, high] = std::ranges::minmax(values);
    double const margin = 0.05 * (std::log10(high) - std::log10(low));
    return {.from = std::log10(low) - margin,
            .to = std::log10(high) + margin,
            .begin = begin,
            .end = end};
}

std::vector<double> decades(Axis const& axis) {
    std::vector<double> marks;
    for (double power = std::ceil(axis.from); power <= axis.to; ++power) {
        marks.push_back(std::pow(10, power));
    }
    return marks;
}

std::string curve(std::vector<Series> const& points, Axis const& x, Axis const& y,
                  char const* colour) {
    std::string path;
    std::string dots;
    for (Series const& point : points) {
        Figures const figures = point.figures();
        double const left = x.at(point.work.value);
        double const top = y.at(figures.median);
        path += fmt::format("{:.1f},{:.1f} ", left, top);
        dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{} {}: "
                            "{}</title></circle>",
                            left, top, colour, escaped(point.subject), point.work.point(),
                            with_unit(figures.median, point.work.unit));
    }
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>{}",
                       path, colour, dots);
}

// `all`: every series of one work's name, at all points.
std::string plot(std::vector<Series> const& all, Legend const& legend) {
    std::vector<double> values;
    std::vector<double> medians;
    std::vector<std::string> subjects;
    for (Series const& one : all) {
        values.push_back(one.work.value);
        medians.push_back(std::max(one.figures().median, 1e-9));
        if (std::ranges::find(subjects, one.subject) == subjects.end()) {
            subjects.push_back(one.subject);
        }
    }
    Axis const x = axis_over(values, kLeft, kWidth - kRight);
    Axis const y = axis_over(medians, kHeight - kBottom, kTop);
    std::string svg = fmt::format("<svg width=\"{}\" height=\"{}\">", kWidth, kHeight);
    for (double const mark : decades(y)) {
        svg +=
            fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
                        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>",
                        kLeft, kWidth - kRight, y.at(mark), kLeft - 6, y.at(mark) + 4,
                        with_unit(mark, all.front().work.unit));
    }
    std::ranges::sort(values);
    values.erase(std::ranges::unique(values).begin(), values.end());
    for (Series const& one : all) {
        svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                           x.at(one.work.value), kHeight - kBottom + 16, one.work.point());
    }
    for (std::string const& subject : subjects) {
        std::vector<Series> points;
        std::ranges::copy_if(all, std::back_inserter(points),
                             [&](Series const& one) { return one.subject == subject; });
        svg += curve(points, x, y, legend.colour(subject));
    }
    return svg + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text></svg>",
                             kWidth - kRight, kHeight - 4, escaped(all.front().work.parameter));
}

// Bars end at the largest ratio; the dashed line is the reference.
std::string bars(Results const& results, std::vector<Series> const& all, Legend const& legend) {
    constexpr double kRow = 22;
    constexpr double kNames = 120;
    constexpr double kFigures = 90;
    double largest = 1;
    for (Series const& one : all) {
        largest = std::max(largest, results.ratio(one).value_or(0));
    }
    double const scale = (kWidth - kNames - kFigures) / largest;
    double const height = kRow * static_cast<double>(all.size());
    std::string svg = fmt::format("<svg width=\"{}\" height=\"{}\">", kWidth, height);
    double top = 0;
    for (Series const& one : all) {
        auto const ratio = results.ratio(one);
        double const width = scale * ratio.value_or(0);
        svg += fmt::format(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{}\" y=\"{}\" "
            "width=\"{:.1f}\" height=\"14\" fill=\"{}\"/><text x=\"{:.1f}\" y=\"{}\">{} {}</text>",
            kNames - 6, top + 14, escaped(one.subject), kNames, top + 3, width,
            legend.colour(one.subject), kNames + width + 4, top + 14,
            ratio ? ratio_text(*ratio) : "", with_unit(one.figures().median, one.work.unit));
        top += kRow;
    }
    return svg + fmt::format("<line class=\"one\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" "
                             "y2=\"{1}\"/></svg>",
                             kNames + scale, height);
}

std::string figure(std::string const& caption, std::string const& picture) {
    return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", escaped(caption),
                       picture);
}

// All points of the works of that name.
std::vector<Series> curve_of(Results const& results, Work const& work) {
    std::vector<Series> all;
    std::ranges::copy_if(results.series(), std::back_inserter(all), [&](Series const& one) {
        return one.work.suite == work.suite && one.work.name == work.name &&
               one.work.parameter == work.parameter;
    });
    return all;
}

std::string figure_of(Results const& results, Work const& work, Legend const& legend) {
    auto const all = curve_of(results, work);
    bool const varies =
        std::ranges::any_of(all, [&](Series const& one) { return one.work.value != work.value; });
    return figure(work.name, varies ? plot(all, legend) : bars(results, all, legend));
}

std::string rows(Results const& results) {
    std::string text = "<h2>Figures</h2><table><tr><th>work</th><th>subject</th><th>median</th>"
                       "<th>least</th><th>most</th><th>ratio</th></tr>\n";
    for (Work const& work : results.works()) {
        for (Series const& one : results.of(work)) {
            Figures const figures = one.figures();
            auto const ratio = results.ratio(one);
            text += fmt::format(
                "<tr><td>{}: {} {} {}</td><td>{}</td><td>{}</td><td>{}</td>"
                "<td>{}</td><td>{}</td></tr>\n",
                escaped(work.suite), escaped(work.name), escaped(work.parameter), work.point(),
                escaped(one.subject), with_unit(figures.median, work.unit),
                with_unit(figures.minimum, work.unit), with_unit(figures.maximum, work.unit),
                ratio ? ratio_text(*ratio) : "");
        }
    }
    return text + "</table>\n";
}

}  // namespace

std::string html_of(Results const& results, Machine const& machine) {
    Legend const legend{results};
    std::string page = kHead;
    page += "<p>Lower is better. Ratios are to the reference (dashed), medians of rounds in which "
            "the subjects took turns.</p><p>";
    for (auto const& [name, value] : machine) {
        page += fmt::format("{}: {}<br>", escaped(name), escaped(value));
    }
    page += "</p>" + legend.html();
    std::string suite;
    std::vector<std::string> shown;
    for (Work const& work : results.works()) {
        if (work.suite != suite) {
            suite = work.suite;
            page += fmt::format("<h2>{}</h2>\n", escaped(suite));
        }
        std::string const key = work.suite + '\n' + work.name + '\n' + work.parameter;
        if (std::ranges::find(shown, key) == shown.end()) {
            shown.push_back(key);
            page += figure_of(results, work, legend);
        }
    }
    page += rows(results);
    for (std::string const& note : results.notes()) {
        page += fmt::format("<p>Note: {}</p>\n", escaped(note));
    }
    return page + "</body></html>\n";
}

}  // namespace oblea::bench
