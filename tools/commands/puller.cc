// SPDX-License-Identifier: MIT
#include "tools/commands/puller.h"

#include "tools/commands/progress_option.h"

#include <unistd.h>

#include <map>

namespace oblea::tools {

namespace {

using State = store::ImportProgress::State;

// docker's lines for those who read them in a log: one for each state that a layer comes to.
class LayerLines {
public:
    explicit LayerLines(Context const& context) : context_(context) {}

    void update(store::ImportProgress const& progress) {
        for (auto const& layer : progress.layers) {
            auto const at = states_.find(layer.id);
            if (at != states_.end() && at->second == layer.state) {
                continue;
            }
            bool const begun = at != states_.end() && at->second != State::waiting;
            states_[layer.id] = layer.state;
            if (layer.state == State::already_there) {
                context_.line(layer.id + ": Already exists");
                continue;
            }
            if (!begun && layer.state != State::waiting) {
                context_.line(layer.id + ": Pulling fs layer");
            }
            if (layer.state == State::done) {
                context_.line(layer.id + ": Download complete");
                context_.line(layer.id + ": Pull complete");
            }
        }
    }

private:
    Context const& context_;
    std::map<std::string, State> states_;
};

}  // namespace

void Puller::say(std::string const& text) const {
    if (!options_.quiet) {
        context_.line(text);
    }
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
    context_.line(reference.canonical());
    return {};
}

Result<registry::PulledImage> Puller::with_progress(registry::PullRequest const& request) const {
    ProgressMode const mode =
        options_.quiet ? ProgressMode::none : parse_progress_mode(options_.progress);
    bool const lines =
        mode == ProgressMode::plain ||
        (mode == ProgressMode::automatic && ::isatty(::fileno(context_.streams().out)) == 0);
    if (lines) {
        LayerLines layers{context_};
        return registry::pull_image(
            store_, session_, request,
            [&](store::ImportProgress const& state) { layers.update(state); });
    }
    auto const live =
        make_progress(mode, {.live = context_.streams().err, .plain = context_.streams().out});
    return registry::pull_image(store_, session_, request, [&](store::ImportProgress const& state) {
        live->update(state, Progress::Clock::now());
    });
}

}  // namespace oblea::tools
