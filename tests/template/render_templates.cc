// SPDX-License-Identifier: MIT
// Renders many templates over one document, for comparison with Go's own.
//
//   render_templates DATA.json < TEMPLATES > RESULTS
//
// Templates and results end with a zero byte; a result is "ok " and the text, or "error " and the
// message.
#include "tools/template/template.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <iterator>

using namespace oblea;
using namespace oblea::tools;

namespace {

Result<std::string> render(std::string const& text, templates::Value const& data) {
    auto const parsed = OBLEA_TRY(templates::Template::parse(text));
    return parsed.execute(data);
}

}  // namespace

int main(int count, char** words) {
    if (count != 2) {
        std::cerr << "usage: render_templates DATA.json < TEMPLATES\n";
        return 2;
    }
    std::ifstream file{words[1]};
    auto const document = nlohmann::ordered_json::parse(file, nullptr, false);
    if (document.is_discarded()) {
        std::cerr << words[1] << " is no JSON\n";
        return 2;
    }
    auto const data = templates::from_json(document);
    for (std::string text; std::getline(std::cin, text, '\0');) {
        auto const result = render(text, data);
        std::cout << (result.has_value() ? "ok " + *result : "error " + result.error().message())
                  << '\0';
    }
    return 0;
}
