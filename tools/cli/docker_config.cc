// SPDX-License-Identifier: MIT
#include "tools/cli/docker_config.h"

#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "tools/cli/home_folder.h"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace oblea::tools {

Result<std::string> docker_setting(char const* key) {
    constexpr std::size_t kBytesMax = 1U << 20U;
    char const* const folder = std::getenv("DOCKER_CONFIG");
    std::string const path =
        (folder != nullptr && *folder != '\0' ? folder : home_folder() + "/.docker") +
        "/config.json";
    auto const text = base::sys::read_file(AT_FDCWD, path.c_str(), kBytesMax);
    if (!text.has_value() &&
        (text.error().code == Errno::enoent || text.error().code == Errno::enotdir)) {
        return std::string{};
    }
    std::string const read = OBLEA_TRY(with_context(text, [&] { return path; }));
    auto const document = OBLEA_TRY(store::json_fields::parse_object(read, path, kBytesMax));
    auto const set = OBLEA_TRY(store::json_fields::text_if(document, key, path));
    return set.value_or("");
}

}  // namespace oblea::tools
