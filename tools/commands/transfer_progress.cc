// SPDX-License-Identifier: MIT
#include "tools/commands/transfer_progress.h"

#include "tools/commands/progress_option.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {

void say_beside(Context const& context, std::string const& mode, std::string const& text) {
    context.line(parse_progress_mode(mode) == ProgressMode::json ? status_json(text) : text);
}

TransferProgress::TransferProgress(Context const& context, std::string const& mode) {
    ProgressMode const wanted = parse_progress_mode(mode);
    bool const json = wanted == ProgressMode::json;
    bool const lines = json || wanted == ProgressMode::plain ||
                       (wanted == ProgressMode::automatic && !is_terminal(context.streams().out));
    if (lines) {
        listener_.event = [&context, json](std::string const& blob, std::string const& state) {
            context.line(json ? nlohmann::ordered_json{{"status", state}, {"id", blob}}.dump()
                              : blob + ": " + state);
        };
        return;
    }
    live_ = make_progress(wanted, {.live = context.streams().err, .plain = context.streams().out});
    listener_.progress = [live = live_.get()](store::ImportProgress const& state) {
        live->update(state, Progress::Clock::now());
    };
}

}  // namespace oblea::tools
