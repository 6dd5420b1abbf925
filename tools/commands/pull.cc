// SPDX-License-Identifier: MIT
#include "tools/registry/pull_image.h"

#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/commands/registry_commands.h"

#include <unistd.h>

#include <map>
#include <memory>

namespace oblea::tools {

namespace {

using State = store::ImportProgress::State;

struct PullOptions {
    std::string name;
    std::string platform;
    std::string progress = "auto";
    bool all_tags = false;
    bool quiet = false;
};

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

class Puller {
public:
    Puller(Context const& context, PullOptions const& options, store::Store const& store,
           registry::RegistrySession& session, std::atomic<bool> const& cancel)
        : context_(context), options_(options), store_(store), session_(session), cancel_(cancel) {}

    Status pull(store::Reference const& reference) const {
        say((reference.digest.has_value() ? reference.canonical()
                                          : reference.tag.value_or("latest")) +
            ": Pulling from " + reference.path);
        registry::PullRequest const request{.reference = reference,
                                            .platform = options_.platform,
                                            .jobs = context_.globals.jobs,
                                            .cancel = &cancel_};
        auto const pulled = with_progress(request);
        registry::PulledImage const image = OBLEA_TRY(pulled);
        bool const fresh = image.outcome == registry::PulledImage::Outcome::downloaded;
        say("Digest: " + image.digest.to_string());
        say((fresh ? "Status: Downloaded newer image for " : "Status: Image is up to date for ") +
            reference.familiar());
        context_.line(reference.canonical());
        return {};
    }

private:
    void say(std::string const& text) const {
        if (!options_.quiet) {
            context_.line(text);
        }
    }

    [[nodiscard]] Result<registry::PulledImage>
    with_progress(registry::PullRequest const& request) const {
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
        return registry::pull_image(store_, session_, request,
                                    [&](store::ImportProgress const& state) {
                                        live->update(state, Progress::Clock::now());
                                    });
    }

    Context const& context_;
    PullOptions const& options_;
    store::Store const& store_;
    registry::RegistrySession& session_;
    std::atomic<bool> const& cancel_;
};

// Goes on after a tag that cannot be used here, and names those at the end.
Result<int> pull_all(Context const& context, Puller const& puller,
                     store::Reference const& repository, std::vector<std::string> const& tags) {
    std::vector<std::string> failures;
    for (auto const& tag : tags) {
        store::Reference reference = repository;
        reference.tag = tag;
        auto const pulled = puller.pull(reference);
        if (pulled.has_value()) {
            continue;
        }
        if (pulled.error().code == Errno::ecanceled || pulled.error().code == Errno::enospc ||
            pulled.error().code == Errno::eagain) {
            return std::unexpected<Error>(pulled.error());
        }
        failures.push_back("error pulling " + reference.familiar() + ": " +
                           pulled.error().message());
    }
    for (auto const& failure : failures) {
        context.error(failure);
    }
    return failures.empty() ? exit_code::kSuccess : exit_code::kFailure;
}

Result<int> pull(Context& context, PullOptions const& options) {
    auto const typed = OBLEA_TRY(store::Reference::parse(options.name));
    if (typed.path == "library/scratch" && typed.domain == "docker.io") {
        return fail(Errno::einval, "", "'scratch' is a reserved name");
    }
    if (options.all_tags && (typed.tag.has_value() || typed.digest.has_value())) {
        return fail(Errno::einval, "", "tag can't be used with --all-tags/-a");
    }
    auto const store = OBLEA_TRY(open_store(context));
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    Puller const puller{context, options, store, *session, interrupt.flag()};
    if (options.all_tags) {
        auto const tags = OBLEA_TRY(registry::list_tags(*session, typed));
        return pull_all(context, puller, typed, tags);
    }
    auto const reference = typed.with_default_tag();
    if (reference.tag != typed.tag && !options.quiet) {
        context.line("Using default tag: latest");
    }
    OBLEA_TRY(puller.pull(reference));
    return exit_code::kSuccess;
}

Result<int> show_tags(Context& context, std::string const& name) {
    auto const reference = OBLEA_TRY(store::Reference::parse(name));
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    auto const tags = OBLEA_TRY(registry::list_tags(*session, reference));
    for (auto const& tag : tags) {
        context.line(tag);
    }
    return exit_code::kSuccess;
}

}  // namespace

Command pull_command() {
    auto options = std::make_shared<PullOptions>();
    return {
        .name = "pull",
        .aliases = {"image pull"},
        .section = Command::Section::images,
        .summary = "Bring an image from a registry into the store",
        .description =
            "All layers are downloaded, verified and imported side by side; those that the store "
            "has "
            "already are not downloaded. Mirrors and blocked or insecure registries are as "
            "podman's "
            "registries.conf and docker's daemon.json say; credentials are those of docker and "
            "podman ('oblea login').\n\n"
            "Nothing is left behind when it fails or is interrupted.",
        .operands = {{.name = "NAME",
                      .help = "NAME[:TAG] or NAME@DIGEST; without a tag, ':latest' is meant",
                      .target = &options->name}},
        .options = {{.names = "-a,--all-tags",
                     .value_name = "",
                     .help = "All images of the repository",
                     .target = &options->all_tags,
                     .choices = {}},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->platform,
                     .choices = {}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the full name of the image",
                     .target = &options->quiet,
                     .choices = {}},
                    progress_option(options->progress)},
        .examples = {{"oblea pull debian", "docker.io/library/debian:latest"},
                     {"oblea pull -a localhost:5000/app", "All tags of a repository"}},
        .run = [options](Context& context) { return pull(context, *options); },
    };
}

Command tags_command() {
    auto name = std::make_shared<std::string>();
    return {
        .name = "tags",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "List the tags of a repository at its registry",
        .description = "",
        .operands = {{.name = "NAME",
                      .help = "The repository, as 'oblea pull' takes it",
                      .target = name.get()}},
        .options = {},
        .examples = {{"oblea tags debian", "All tags of docker.io/library/debian"}},
        .run = [name](Context& context) { return show_tags(context, *name); },
    };
}

}  // namespace oblea::tools
