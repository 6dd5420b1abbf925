// SPDX-License-Identifier: MIT
// One pull after the other, with what is said about each as docker says it.
#pragma once
#include "tools/cli/context.h"
#include "tools/registry/pull_image.h"

#include <string>
#include <vector>

namespace oblea::tools {

struct PullerOptions {
    std::string platform;           // "os/arch[/variant]"; empty: the machine's
    std::string progress = "auto";  // of progress_option()
    bool quiet = false;             // the full name alone
};

// What it uses is borrowed.
class Puller {
public:
    Puller(Context const& context, PullerOptions const& options, store::Store const& store,
           registry::RegistrySession& session, std::atomic<bool> const& cancel)
        : context_(context), options_(options), store_(store), session_(session), cancel_(cancel) {}

    // `reference` has a tag or a digest. Errors: as pull_image().
    [[nodiscard]] Status pull(store::Reference const& reference) const;

    // The first of them that can be had. Errors: those of all of them.
    [[nodiscard]] Result<store::Reference>
    pull_first(std::vector<store::Reference> const& names) const;

private:
    void say(std::string const& text) const;
    [[nodiscard]] Result<registry::PulledImage>
    with_progress(registry::PullRequest const& request) const;

    Context const& context_;
    PullerOptions const& options_;
    store::Store const& store_;
    registry::RegistrySession& session_;
    std::atomic<bool> const& cancel_;
};

}  // namespace oblea::tools
