// SPDX-License-Identifier: MIT
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/registry_commands.h"
#include "tools/registry/pull_image.h"

#include <memory>

namespace oblea::tools {

namespace {

struct SignatureOptions {
    std::string name;
    std::vector<std::string> keys;
    std::string identity = "repository";
    std::string platform;
    bool quiet = false;
};

registry::PolicyRequirement requirement_of(SignatureOptions const& options) {
    using Kind = registry::SignedIdentity::Kind;
    registry::SignedIdentity identity;
    identity.kind = options.identity == "exact"        ? Kind::match_exact
                    : options.identity == "repository" ? Kind::match_repository
                                                       : Kind::match_repo_digest_or_exact;
    return {.kind = registry::PolicyRequirement::Kind::sigstore_signed,
            .key_paths = options.keys,
            .keys = {},
            .identity = identity};
}

Result<int> verify_signature(Context& context, SignatureOptions const& options) {
    auto const reference = OBLEA_TRY(store::Reference::parse(options.name)).with_default_tag();
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    registry::PullRequest const request{.reference = reference,
                                        .platform = options.platform,
                                        .jobs = 0,
                                        .cancel = &interrupt.flag()};
    auto const requirement =
        options.keys.empty() ? std::nullopt : std::optional{requirement_of(options)};
    auto const verified = OBLEA_TRY(registry::verify_remote(*session, request, requirement));
    if (options.quiet) {
        return exit_code::kSuccess;
    }
    context.line("Digest: " + verified.digest.to_string());
    for (auto const& signature : verified.signatures) {
        context.line("Signed: " + signature.manifest.to_string() + " as " +
                     registry::printable(signature.docker_reference) + ", verified with " +
                     signature.key);
    }
    if (verified.signatures.empty()) {
        context.line("The policy accepts it, and demands no signature");
    }
    return exit_code::kSuccess;
}

}  // namespace

Command verify_signature_command() {
    auto options = std::make_shared<SignatureOptions>();
    return {
        .name = "verify-signature",
        .aliases = {"image verify-signature"},
        .section = Command::Section::images,
        .summary = "Verify who has signed an image at a registry",
        .description =
            "By the signatures that cosign, podman and skopeo keep beside an image, with the keys "
            "that are given, or else by what policy.json demands (~/.config/containers/policy.json "
            "or /etc/containers/policy.json). Nothing is pulled. The signature of an index counts "
            "for the images in it. Fails when no signature counts, saying why.\n\n"
            "pull and copy ask the same policy by themselves, and refuse what it does not accept.",
        .operands = {{.name = "NAME",
                      .help = "NAME[:TAG] or NAME@DIGEST; without a tag, ':latest' is meant",
                      .target = &options->name}},
        .options = {{.names = "--key",
                     .value_name = "FILE",
                     .help = "A public key in PEM, instead of the policy; of several, one is "
                             "enough",
                     .target = &options->keys},
                    {.names = "--identity",
                     .value_name = "KIND",
                     .help = "With --key, what has to be as it was signed: the repository "
                             "(default, as cosign signs), the tag too (exact), or the tag unless "
                             "a digest is asked for (digest-or-exact)",
                     .target = &options->identity,
                     .choices = {"repository", "exact", "digest-or-exact"}},
                    {.names = "--platform",
                     .value_name = "OS/ARCH",
                     .help = "The image of this platform, where there are several",
                     .target = &options->platform},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Only the exit status",
                     .target = &options->quiet}},
        .examples = {{"oblea verify-signature --key cosign.pub ghcr.io/me/app:1",
                      "Whether the holder of the key has signed it"}},
        .run = [options](Context& context) { return verify_signature(context, *options); },
    };
}

}  // namespace oblea::tools
