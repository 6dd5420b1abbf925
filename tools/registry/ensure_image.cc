// SPDX-License-Identifier: MIT
#include "tools/registry/ensure_image.h"

#include "tools/cli/home_folder.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/puller.h"
#include "tools/commands/registry_commands.h"
#include "tools/mount/background.h"
#include "tools/registry/conf/short_names.h"

#include <sys/prctl.h>

#include <algorithm>
#include <csignal>

namespace oblea::tools {

namespace {

using registry::PullStep;

// Whether Images::resolve would take it for the beginning of an id: then a name of the same look is
// more likely to be a slip than an image of Docker Hub.
bool looks_like_id(std::string_view text) {
    std::string_view const prefix = "sha256:";
    if (text.starts_with(prefix)) {
        return true;
    }
    return text.size() == 64 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

// The name of an image that is there, where a short name stands for that by podman's settings.
// Whoever pulls is told what is wrong with them.
std::optional<std::string> find_other_name(store::Images const& images, std::string const& typed) {
    auto const conf =
        registry::read_registries_conf(registry::ConfPlaces::of_process(home_folder()));
    if (!conf.has_value()) {
        return std::nullopt;
    }
    auto const found = registry::resolve_short_name(*conf, typed, registry::Terminal::yes);
    for (std::size_t i = 0; found.has_value() && i < found->candidates.size(); ++i) {
        std::string name = found->candidates[i].canonical();
        if (images.find_name(name) != nullptr) {
            return name;
        }
    }
    return std::nullopt;
}

Result<store::Reference> pull_here(Context const& context, store::Store const& store,
                                   EnsureImageRequest const& request) {
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    PullerOptions const options{.platform = request.platform, .quiet = request.quiet};
    Puller const puller{context, options, store, *session, interrupt.flag()};
    auto const names = OBLEA_TRY(choose_names(context, *session, request.image));
    return puller.pull_first(names);
}

// With its results, which are news here and no results, on standard error.
Context for_news(Context const& context, std::FILE* news) {
    Context changed{{.in = context.streams().in, .out = news, .err = context.streams().err}};
    changed.globals = context.globals;
    return changed;
}

int run_child(Context const& context, store::StoreOptions const& options,
              EnsureImageRequest const& request, Report& report) {
    // Whoever ends us ends the pull; what has come is kept for the next one.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    std::FILE* const nowhere = request.quiet ? std::fopen("/dev/null", "we") : nullptr;
    Context const talking = for_news(context, nowhere != nullptr ? nowhere : context.streams().err);
    // The caller's store is of no use here: its descriptors are closed.
    auto const store = store::Store::open(options, store::Store::Create::no);
    auto const pulled = store.has_value()
                            ? pull_here(talking, *store, request)
                            : Result<store::Reference>{std::unexpected<Error>(store.error())};
    std::fflush(context.streams().err);
    if (!pulled.has_value()) {
        report.failure(pulled.error());
        return exit_code::kFailure;
    }
    return report.success(pulled->canonical()).has_value() ? exit_code::kSuccess
                                                           : exit_code::kFailure;
}

// The canonical name of what was pulled.
Result<std::string> pull_in_child(Context const& context, store::Store const& store,
                                  EnsureImageRequest const& request) {
    store::StoreOptions const options = store.options();
    auto const child = start_child(Parentage::own, {}, [&](Report& report) {
        return run_child(context, options, request, report);
    });
    if (!child.has_value()) {
        return std::unexpected<Error>(child.error());
    }
    OBLEA_TRY(wait_for_child(child->pid));
    return child->report;
}

}  // namespace

Result<std::string> ensure_image(Context const& context, store::Store const& store,
                                 EnsureImageRequest const& request) {
    auto const images = OBLEA_TRY(store.images());
    auto const found = images.resolve(request.image);
    if (!found.has_value() && found.error().code != Errno::enoent) {
        return std::unexpected<Error>(found.error());
    }
    auto const typed = store::Reference::parse(request.image);
    if (!typed.has_value() || looks_like_id(request.image)) {
        return found.has_value() ? Result<std::string>{request.image}
                                 : std::unexpected<Error>(found.error());
    }
    auto const other = found.has_value() ? std::nullopt : find_other_name(images, request.image);
    bool const present = found.has_value() || other.has_value();
    std::string const here = other.value_or(request.image);
    store::Reference const name = typed->with_default_tag();
    auto const step = registry::decide_pull(request.policy, present ? registry::Present::yes
                                                                    : registry::Present::no);
    if (step == PullStep::use_present) {
        return here;
    }
    if (step == PullStep::refuse) {
        return std::unexpected<Error>(found.error());
    }
    // An id, or a name that only this machine gave.
    bool const by_name = other.has_value() || images.find_name(name.canonical()) != nullptr;
    if (present && !by_name && !name.digest.has_value()) {
        return here;
    }
    if (!present && !request.quiet) {
        std::fputs(("Unable to find image '" + name.familiar() + "' locally\n").c_str(),
                   context.streams().err);
    }
    auto pulled = pull_in_child(context, store, request);
    if (!pulled.has_value() && step == PullStep::pull_or_use_present &&
        pulled.error().code != Errno::ecanceled) {
        context.warning(pulled.error().message() + "; what the store has is used");
        return here;
    }
    bool const as_typed = pulled.has_value() && *pulled == name.canonical();
    return as_typed ? Result<std::string>{request.image} : std::move(pulled);
}

Option pull_policy_option(std::string& target) {
    return {.names = "--pull",
            .value_name = "WHEN",
            .help = "Bring the image from its registry: always, missing, newer or never",
            .target = &target,
            .choices = {"always", "missing", "newer", "never"},
            .config = "pull"};
}

}  // namespace oblea::tools
