// SPDX-License-Identifier: MIT
#include "bench/report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace oblea::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string heading(Work const& work) {
    std::string text = fmt::format("{}: {}", work.suite, work.name);
    if (!work.parameter.empty()) {
        text += fmt::format(", {} {}", work.parameter, work.point());
    }
    return text;
}

}  // namespace

std::string table_of(Results const& results) {
    std::string text;
    for (Work const& work : results.works()) {
        text += heading(work) + '\n';
        for (Series const& series : results.of(work)) {
            Figures const figures = series.figures();
            auto const ratio = results.ratio(series);
            text += fmt::format(
                "  {:<18} {:>10}  {:>10} .. {:<10} {:>8}\n", series.subject,
                with_unit(figures.median, work.unit), with_unit(figures.minimum, work.unit),
                with_unit(figures.maximum, work.unit), ratio ? ratio_text(*ratio) : "");
        }
    }
    for (std::string const& note : results.notes()) {
        text += "note: " + note + '\n';
    }
    return text;
}

std::string json_of(Results const& results, Machine const& machine) {
    Json document{
        {"machine", Json::object()}, {"results", Json::array()}, {"notes", Json::array()}};
    for (auto const& [name, value] : machine) {
        document["machine"][name] = value;
    }
    for (Series const& series : results.series()) {
        Figures const figures = series.figures();
        auto const ratio = results.ratio(series);
        document["results"].push_back({{"suite", series.work.suite},
                                       {"work", series.work.name},
                                       {"parameter", series.work.parameter},
                                       {"value", series.work.value},
                                       {"subject", series.subject},
                                       {"unit", series.work.unit},
                                       {"median", figures.median},
                                       {"minimum", figures.minimum},
                                       {"maximum", figures.maximum},
                                       {"samples", series.samples},
                                       {"reference", series.work.reference},
                                       {"ratio", ratio ? Json(*ratio) : Json(nullptr)}});
    }
    for (std::string const& note : results.notes()) {
        document["notes"].push_back(note);
    }
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace oblea::bench
