// SPDX-License-Identifier: MIT
#include "tools/registry/push_image.h"

#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/commands/registry_commands.h"
#include "tools/commands/transfer_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace oblea::tools {

namespace {

struct PushOptions {
    std::string name;
    std::string compression;
    std::string progress = "auto";
    bool all_tags = false;
    bool quiet = false;
};

std::optional<store::Compression> parse_compression(std::string_view text) {
    if (text == "gzip") {
        return store::Compression::gzip;
    }
    if (text == "zstd") {
        return store::Compression::zstd;
    }
    return text == "none" ? std::optional{store::Compression::none} : std::nullopt;
}

class Pusher {
public:
    Pusher(Context const& context, PushOptions const& options, store::Store const& store,
           registry::RegistrySession& session, std::atomic<bool> const& cancel)
        : context_(context), options_(options), store_(store), session_(session), cancel_(cancel) {}

    Status push(store::Reference const& target) const {
        registry::PushRequest const request{.target = target,
                                            .compression = parse_compression(options_.compression),
                                            .cancel = &cancel_};
        auto const pushed = [&] {
            TransferProgress const progress{context_, options_.quiet ? "none" : options_.progress};
            return registry::push_image(store_, session_, request, progress.listener());
        }();
        OBLEA_TRY(pushed);
        if (pushed->digest_changed) {
            context_.warning(target.familiar() +
                             ": the layers were compressed anew, so the image has another digest "
                             "at the registry than where it came from");
        }
        say(fmt::format("{}: digest: {} size: {}", *target.tag, pushed->digest.to_string(),
                        pushed->manifest_bytes));
        if (options_.quiet) {
            context_.line(target.canonical());
        }
        return {};
    }

private:
    void say(std::string const& text) const {
        if (!options_.quiet) {
            say_beside(context_, options_.progress, text);
        }
    }

    Context const& context_;
    PushOptions const& options_;
    store::Store const& store_;
    registry::RegistrySession& session_;
    std::atomic<bool> const& cancel_;
};

// The tags that the store has of a repository.
Result<std::vector<store::Reference>> local_tags(store::Store const& store,
                                                 store::Reference const& repository) {
    auto const images = OBLEA_TRY(store.images());
    std::vector<store::Reference> tags;
    for (auto const& image : images.all()) {
        for (auto const& name : image.names) {
            auto const reference = store::Reference::parse(name);
            if (reference.has_value() && reference->tag.has_value() &&
                reference->repository() == repository.repository()) {
                tags.push_back(*reference);
            }
        }
    }
    if (tags.empty()) {
        return fail(Errno::enoent, "",
                    "An image does not exist locally with the tag: " +
                        repository.familiar_repository());
    }
    std::ranges::sort(tags, {}, [](store::Reference const& tag) { return *tag.tag; });
    return tags;
}

Result<int> push(Context& context, PushOptions const& options) {
    auto const typed = OBLEA_TRY(store::Reference::parse(options.name));
    if (typed.digest.has_value()) {
        return fail(Errno::einval, "", "cannot push a digest reference");
    }
    if (options.all_tags && typed.tag.has_value()) {
        return fail(Errno::einval, "", "tag can't be used with --all-tags/-a");
    }
    auto const store = OBLEA_TRY(open_store(context));
    std::vector<store::Reference> targets{typed.with_default_tag()};
    if (options.all_tags) {
        targets = OBLEA_TRY(local_tags(store, typed));
    } else if (!typed.tag.has_value() && !options.quiet) {
        say_beside(context, options.progress, "Using default tag: latest");
    }
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    Pusher const pusher{context, options, store, *session, interrupt.flag()};
    if (!options.quiet) {
        say_beside(context, options.progress,
                   "The push refers to repository [" + typed.repository() + "]");
    }
    for (auto const& target : targets) {
        OBLEA_TRY(pusher.push(target));
    }
    return exit_code::kSuccess;
}

}  // namespace

Command push_command() {
    auto options = std::make_shared<PushOptions>();
    return {
        .name = "push",
        .aliases = {"image push"},
        .section = Command::Section::images,
        .summary = "Bring an image of the store to a registry",
        .description =
            "Blobs go as they came, so that digests and signatures hold. What the registry has is "
            "not sent, and what another repository of it has is mounted from there. A layer that "
            "has no blob is compressed by all processors, to the same bytes each time.",
        .operands = {{.name = "NAME",
                      .help = "NAME[:TAG] of an image; its beginning names the registry",
                      .target = &options->name}},
        .options = {{.names = "-a,--all-tags",
                     .value_name = "",
                     .help = "All tags that the store has of the repository",
                     .target = &options->all_tags},
                    {.names = "--compression",
                     .value_name = "KIND",
                     .help = "gzip, zstd or none; layers that came otherwise are compressed anew, "
                             "which changes digests",
                     .target = &options->compression,
                     .choices = {"gzip", "zstd", "none"}},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the full name of the image",
                     .target = &options->quiet},
                    progress_option(options->progress)},
        .examples = {{"oblea push localhost:5000/app:1", "To a registry of your own"},
                     {"oblea push --compression zstd ghcr.io/me/app",
                      "Smaller, and faster to read"}},
        .run = [options](Context& context) { return push(context, *options); },
    };
}

}  // namespace oblea::tools
