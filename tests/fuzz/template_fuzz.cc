// SPDX-License-Identifier: MIT
// Any text as a template: it is refused, fails, or prints, and always ends.
//
//   build/fuzz/bin/template_fuzz -max_len=400 -dict=tests/template/fuzz.dict CORPUS
#include "tools/template/template.h"

#include <nlohmann/json.hpp>

#include <cstddef>

using namespace oblea;
using namespace oblea::tools;

namespace {

templates::Value const& sample() {
    static templates::Value const data = templates::from_json(nlohmann::ordered_json::parse(
        R"({"Name": "web", "Size": 72900000, "Ratio": 0.5, "Yes": true, "Null": null,
            "Labels": {"version": "1.2"}, "Env": ["PATH=/bin", "HOME=/"], "Mixed": [1, "two", [3]]})"));
    return data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    for (auto const* functions :
         {&templates::standard_functions(), &templates::header_functions()}) {
        auto const parsed = templates::Template::parse(text, *functions);
        if (parsed.has_value()) {
            static_cast<void>(parsed->execute(sample()));
            static_cast<void>(parsed->execute(sample(), templates::Template::MissingKey::error));
        }
    }
    return 0;
}
