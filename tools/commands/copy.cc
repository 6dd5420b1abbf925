// SPDX-License-Identifier: MIT
#include "tools/registry/copy/copy_image.h"

#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/progress_option.h"
#include "tools/commands/registry_commands.h"
#include "tools/commands/transfer_progress.h"
#include "tools/registry/copy/open_place.h"
#include "tools/registry/signature/check_signatures.h"
#include "tools/registry/signature/file_policy.h"

#include <memory>

namespace oblea::tools {

namespace {

using registry::CopyLocation;
using registry::CopyName;

struct CopyOptions {
    std::string source;
    std::string target;
    std::string platform;
    std::string progress = "auto";
    bool all_tags = false;
    bool quiet = false;
};

char const* transport_of(CopyLocation::Kind kind) {
    switch (kind) {
    case CopyLocation::Kind::oci_layout:
        return "oci";
    case CopyLocation::Kind::oci_archive:
        return "oci-archive";
    case CopyLocation::Kind::docker_archive:
        return "docker-archive";
    case CopyLocation::Kind::registry:
        break;
    }
    return "docker";
}

Status expect_allowed(registry::RegistrySession const& session, CopyLocation const& source,
                      std::string const& name, registry::SignaturePlace const& place,
                      std::vector<store::Digest> const& manifests) {
    auto const policy = OBLEA_TRY(session.signature_policy());
    if (source.kind != CopyLocation::Kind::registry) {
        return registry::expect_accepted(
            policy, {.transport = transport_of(source.kind), .path = source.path, .name = name});
    }
    registry::SignedImage image{.reference = source.reference, .manifests = manifests};
    if (!image.reference.digest.has_value()) {
        image.reference.tag = name;
    }
    return registry::expect_accepted(
        policy, policy.find("docker", registry::scopes_of(image.reference)), place, image);
}

class Copier {
public:
    struct Way {
        registry::RegistrySession const& session;
        CopyLocation const& from;
        CopyLocation const& to;
        registry::CopySource& source;
        registry::CopyTarget& target;
    };
    Copier(Context const& context, CopyOptions const& options, Way const& way,
           std::atomic<bool> const& cancel)
        : context_(context), options_(options), way_(way), cancel_(cancel) {}

    Status copy(std::string const& name, CopyName const& target) const {
        registry::CopyRequest request{.source = name,
                                      .target = target,
                                      .platform = {},
                                      .allow =
                                          [&](auto const& place, auto const& manifests) {
                                              return expect_allowed(way_.session, way_.from, name,
                                                                    place, manifests);
                                          },
                                      .cancel = &cancel_};
        if (!options_.platform.empty()) {
            request.platform = OBLEA_TRY(store::Platform::parse(options_.platform));
        } else if (way_.to.kind == CopyLocation::Kind::docker_archive) {
            request.platform = store::Platform::of_machine();
        }
        TransferProgress const progress{context_, options_.quiet ? "none" : options_.progress};
        auto const digest =
            OBLEA_TRY(registry::copy_image(way_.source, way_.target, request, progress.listener()));
        if (options_.quiet) {
            context_.line(shown(target));
        } else {
            say_beside(context_, options_.progress,
                       options_.all_tags ? target.tag + ": digest: " + digest.to_string()
                                         : "Digest: " + digest.to_string());
        }
        return {};
    }

private:
    [[nodiscard]] std::string shown(CopyName const& name) const {
        return way_.to.kind == CopyLocation::Kind::registry
                   ? way_.to.reference.repository() + ':' + name.tag
                   : way_.to.path + ':' + name.tag;
    }

    Context const& context_;
    CopyOptions const& options_;
    Way way_;
    std::atomic<bool> const& cancel_;
};

// Goes on after an image that cannot be copied, and names those at the end.
Result<int> copy_all(Context const& context, Copier const& copier, registry::CopySource& source) {
    std::vector<std::string> failures;
    auto const names = OBLEA_TRY(source.names());
    for (auto const& name : names) {
        auto const copied =
            copier.copy(name, registry::name_as_at_source(name, source.full_name(name)));
        if (copied.has_value()) {
            continue;
        }
        if (copied.error().code == Errno::ecanceled || copied.error().code == Errno::enospc ||
            copied.error().code == Errno::eagain) {
            return std::unexpected<Error>(copied.error());
        }
        failures.push_back("error copying " + name + ": " + copied.error().message());
    }
    for (auto const& failure : failures) {
        context.error(failure);
    }
    return failures.empty() ? exit_code::kSuccess : exit_code::kFailure;
}

Status expect_no_names(CopyLocation const& source, CopyLocation const& target) {
    for (auto const* const location : {&source, &target}) {
        bool const named = location->name.has_value() || location->reference.tag.has_value() ||
                           location->reference.digest.has_value();
        if (named) {
            return fail(Errno::einval, "", "tag can't be used with --all-tags/-a");
        }
    }
    return {};
}

Result<int> copy(Context& context, CopyOptions const& options) {
    auto const from = OBLEA_TRY(registry::parse_copy_location(options.source));
    auto const to = OBLEA_TRY(registry::parse_copy_location(options.target));
    if (options.all_tags) {
        OBLEA_TRY(expect_no_names(from, to));
    }
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    auto const source = OBLEA_TRY(registry::open_copy_source(*session, from));
    std::string const name = registry::source_name(from);
    CopyName const target_name = OBLEA_TRY(
        registry::target_name(to, registry::name_as_at_source(name, source->full_name(name))));
    auto const target = OBLEA_TRY(registry::open_copy_target(*session, to, from));
    Copier const copier{
        context,
        options,
        {.session = *session, .from = from, .to = to, .source = *source, .target = *target},
        interrupt.flag()};
    int status = exit_code::kSuccess;
    if (options.all_tags) {
        status = OBLEA_TRY(copy_all(context, copier, *source));
    } else {
        OBLEA_TRY(copier.copy(name, target_name));
    }
    OBLEA_TRY(target->finish());
    return status;
}

}  // namespace

Command copy_command() {
    auto options = std::make_shared<CopyOptions>();
    return {
        .name = "copy",
        .aliases = {"image copy"},
        .section = Command::Section::images,
        .summary = "Copy an image between registries, layouts and archives",
        .description =
            "Without storing it, and byte for byte: an index goes with all its platforms, and with "
            "an image go the signatures that cosign keeps beside it. What the target has is not "
            "sent, and within one registry layers are mounted.\n\n"
            "SOURCE and TARGET are NAME[:TAG] or docker://NAME[:TAG] for a registry, "
            "oci:DIR[:TAG] for an OCI layout, oci-archive:FILE[:TAG] for one in a tar, or "
            "docker-archive:FILE[:NAME] for what docker save writes and docker load reads. A "
            "layout "
            "may have other images, which stay; an archive is written anew. A docker archive holds "
            "layers decompressed and one platform: from there an image has another digest.",
        .operands = {{.name = "SOURCE",
                      .help = "What to copy, also by digest: NAME@DIGEST",
                      .target = &options->source},
                     {.name = "TARGET",
                      .help =
                          "Where to; without a tag, ':latest' of a registry, and the tag of the "
                          "source elsewhere",
                      .target = &options->target}},
        .options = {{.names = "-a,--all-tags",
                     .value_name = "",
                     .help = "All images of the source, under their tags",
                     .target = &options->all_tags},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "Of several platforms this one alone",
                     .target = &options->platform},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the full name of the copy",
                     .target = &options->quiet},
                    progress_option(options->progress)},
        .examples = {{"oblea copy debian localhost:5000/debian", "All platforms of it"},
                     {"oblea copy debian:12 oci:mirror", "Into the layout in the folder mirror"},
                     {"oblea copy docker-archive:app.tar ghcr.io/me/app:1",
                      "What docker save has written"}},
        .run = [options](Context& context) { return copy(context, *options); },
    };
}

}  // namespace oblea::tools
