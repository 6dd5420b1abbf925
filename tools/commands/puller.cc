// SPDX-License-Identifier: MIT
#include "tools/commands/puller.h"

#include "tools/commands/progress_option.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>

namespace oblea::tools {

namespace {

using State = registry::PullProgress::State;

// docker's lines for those who read them in a log: one for each state that a layer comes to.
class LayerLines {
public:
    using Say = std::function<void(registry::PullProgress::Layer const&, std::string const&)>;
    explicit LayerLines(Say say) : say_(std::move(say)) {}

    void update(registry::PullProgress const& progress) {
        for (auto const& layer : progress.layers) {
            State& said = states_.try_emplace(layer.id, State::waiting).first->second;
            State const before = std::exchange(said, layer.state);
            if (layer.state == State::already_there && before != layer.state) {
                say_(layer, "Already exists");
            } else if (layer.state != State::already_there) {
                tell(layer, before);
            }
        }
    }

private:
    void tell(registry::PullProgress::Layer const& layer, State before) const {
        auto const passed = [&](State state) { return before < state && layer.state >= state; };
        if (passed(State::downloading)) {
            say_(layer, "Pulling fs layer");
        }
        if (passed(State::downloaded)) {
            say_(layer, "Download complete");
        }
        if (passed(State::done)) {
            say_(layer, "Pull complete");
        }
    }

    Say say_;
    std::map<std::string, State> states_;
};

// As docker's API tells it.
std::string json_line(registry::PullProgress::Layer const& layer, std::string const& status) {
    nlohmann::ordered_json line = {{"status", status}, {"id", layer.id}};
    if (layer.total_bytes != 0 && status != "Already exists") {
        line["progressDetail"] = {{"current", layer.bytes}, {"total", layer.total_bytes}};
    }
    return line.dump();
}

// What the live lines know of: bytes of a total.
store::ImportProgress for_terminal(registry::PullProgress const& progress) {
    using To = store::ImportProgress::State;
    store::ImportProgress shown;
    for (auto const& layer : progress.layers) {
        To const state = layer.state == State::already_there ? To::already_there
                         : layer.state == State::done        ? To::done
                         : layer.state == State::waiting     ? To::waiting
                                                             : To::reading;
        shown.layers.push_back({layer.id, state, layer.bytes, layer.total_bytes});
    }
    return shown;
}

}  // namespace

void Puller::say(std::string const& text) const {
    if (options_.quiet) {
        return;
    }
    bool const json = parse_progress_mode(options_.progress) == ProgressMode::json;
    context_.line(json ? status_json(text) : text);
}

Status Puller::pull(store::Reference const& reference) const {
    say((reference.digest.has_value() ? reference.canonical() : reference.tag.value_or("latest")) +
        ": Pulling from " + reference.path);
    registry::PullRequest const request{.reference = reference,
                                        .platform = options_.platform,
                                        .jobs = context_.globals.jobs,
                                        .cancel = &cancel_};
    registry::PulledImage const image = OBLEA_TRY(with_progress(request));
    bool const fresh = image.outcome == registry::PulledImage::Outcome::downloaded;
    say("Digest: " + image.digest.to_string());
    say((fresh ? "Status: Downloaded newer image for " : "Status: Image is up to date for ") +
        reference.familiar());
    if (parse_progress_mode(options_.progress) != ProgressMode::json || options_.quiet) {
        context_.line(reference.canonical());
    }
    return {};
}

Result<store::Reference> Puller::pull_first(std::vector<store::Reference> const& names) const {
    Error failure{.code = Errno::einval, .detail = "no name to pull"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto pulled = pull(names[i]);
        if (pulled.has_value()) {
            return names[i];
        }
        Error next = std::move(pulled).error();
        if (i > 0 && next.code != Errno::ecanceled) {
            next = {.code = next.code, .detail = failure.message() + "; " + next.message()};
        }
        failure = std::move(next);
        if (failure.code == Errno::ecanceled) {
            break;
        }
    }
    return std::unexpected<Error>(std::move(failure));
}

Result<registry::PulledImage> Puller::with_progress(registry::PullRequest const& request) const {
    ProgressMode const mode =
        options_.quiet ? ProgressMode::none : parse_progress_mode(options_.progress);
    bool const json = mode == ProgressMode::json;
    bool const lines = json || mode == ProgressMode::plain ||
                       (mode == ProgressMode::automatic && !is_terminal(context_.streams().out));
    if (lines) {
        LayerLines layers{[&](auto const& layer, std::string const& status) {
            context_.line(json ? json_line(layer, status) : layer.id + ": " + status);
        }};
        return registry::pull_image(
            store_, session_, request,
            [&](registry::PullProgress const& state) { layers.update(state); });
    }
    auto const live =
        make_progress(mode, {.live = context_.streams().err, .plain = context_.streams().out});
    return registry::pull_image(store_, session_, request,
                                [&](registry::PullProgress const& state) {
                                    live->update(for_terminal(state), Progress::Clock::now());
                                });
}

}  // namespace oblea::tools
