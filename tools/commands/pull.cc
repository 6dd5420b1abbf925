// SPDX-License-Identifier: MIT
#include "tools/registry/pull_image.h"

#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/commands/puller.h"
#include "tools/commands/registry_commands.h"
#include "tools/registry/pull_policy.h"

#include <memory>

namespace oblea::tools {

namespace {

struct PullOptions {
    std::string name;
    PullerOptions puller;
    std::string policy = "always";
    bool all_tags = false;
    bool offline = false;
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

bool has_image(store::Store const& store, store::Reference const& name) {
    auto const images = store.images();
    return images.has_value() && images->resolve(name.familiar()).has_value();
}

// Whether what the store has is all that is wanted; then its name is printed.
Result<bool> is_settled(Context const& context, store::Store const& store,
                        PullOptions const& options, store::Reference const& name) {
    using registry::PullStep;
    auto const policy = options.offline ? registry::PullPolicy::never
                                        : OBLEA_TRY(registry::parse_pull_policy(options.policy));
    auto const images = OBLEA_TRY(store.images());
    auto const image = images.resolve(name.familiar());
    auto const present = image.has_value() ? registry::Present::yes : registry::Present::no;
    PullStep const step = registry::decide_pull(policy, present);
    if (step == PullStep::refuse) {
        return fail(Errno::enoent, "",
                    image.error().message() + ", and the network is not to be used");
    }
    if (step == PullStep::use_present) {
        context.line(name.canonical());
    }
    return step == PullStep::use_present;
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
    bool done = false;
    if (!options.all_tags) {
        done = OBLEA_TRY(is_settled(context, store, options, typed.with_default_tag()));
    } else if (options.offline) {
        return fail(Errno::einval, "", "--offline and --all-tags contradict each other");
    }
    if (done) {
        return exit_code::kSuccess;
    }
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    Puller const puller{context, options.puller, store, *session, interrupt.flag()};
    auto const names = OBLEA_TRY(choose_names(context, *session, options.name));
    if (options.all_tags) {
        auto const tags = OBLEA_TRY(registry::list_tags(*session, names.front()));
        return pull_all(context, puller, names.front(), tags);
    }
    bool const whole = typed.tag.has_value() || typed.digest.has_value();
    if (!whole && !options.puller.quiet) {
        context.line("Using default tag: latest");
    }
    auto const pulled = puller.pull_first(names);
    if (!pulled.has_value() && options.policy == "newer" &&
        pulled.error().code != Errno::ecanceled && has_image(store, typed)) {
        context.warning(pulled.error().message() + "; what the store has is used");
        return exit_code::kSuccess;
    }
    OBLEA_TRY(pulled);
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
            "What has come when it fails or is interrupted, or when the machine does, is kept for "
            "a "
            "week, and the next pull goes on there. Several pulls of the same layer share one "
            "download.",
        .operands = {{.name = "NAME",
                      .help = "NAME[:TAG] or NAME@DIGEST; without a tag, ':latest' is meant",
                      .target = &options->name}},
        .options = {{.names = "-a,--all-tags",
                     .value_name = "",
                     .help = "All images of the repository",
                     .target = &options->all_tags},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->puller.platform},
                    {.names = "--policy",
                     .value_name = "WHEN",
                     .help = "When the registry is asked: always (default), missing, newer "
                             "(without an answer, what the store has will do) or never",
                     .target = &options->policy,
                     .choices = {"always", "missing", "newer", "never"}},
                    {.names = "--offline",
                     .value_name = "",
                     .help = "The same as --policy never",
                     .target = &options->offline},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the full name of the image",
                     .target = &options->puller.quiet},
                    progress_option(options->puller.progress)},
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
