// SPDX-License-Identifier: MIT
#include "tools/container/commit.h"

#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"

#include <memory>

namespace oblea::tools {

namespace {

struct CommitOptions {
    std::string container;
    std::optional<std::string> name;
    CommitRequest request;
    std::string pause = "true";
};

Result<int> commit(Context& context, CommitOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    auto const container = OBLEA_TRY(need_container(store, options.container));
    CommitRequest request = options.request;
    request.name = options.name.value_or("");
    request.pause = options.pause == "false" ? CommitRequest::Pause::no : CommitRequest::Pause::yes;
    auto const id = OBLEA_TRY(commit_container(store, container, request));
    context.line(id.to_string());
    return exit_code::kSuccess;
}

}  // namespace

Command commit_command() {
    auto options = std::make_shared<CommitOptions>();
    return {
        .name = "commit",
        .aliases = {"container commit"},
        .section = Command::Section::containers,
        .summary = "Make an image of a container",
        .description =
            "The new image has the layers of the container's image and one more with what was "
            "changed: only the writable layer is read. The layer is the same, byte for byte, each "
            "time; with SOURCE_DATE_EPOCH in the environment the whole image is.",
        .operands = {{.name = "CONTAINER", .help = "Name or id", .target = &options->container},
                     {.name = "REPOSITORY[:TAG]",
                      .help = "Name of the new image; default: none",
                      .target = &options->name}},
        .options = {{.names = "-a,--author",
                     .value_name = "TEXT",
                     .help = "Who made it (\"Ada Lovelace <ada@example.org>\")",
                     .target = &options->request.author},
                    {.names = "-m,--message",
                     .value_name = "TEXT",
                     .help = "What was changed; 'oblea history' shows it",
                     .target = &options->request.comment},
                    {.names = "-p,--pause",
                     .value_name = "BOOL",
                     .help = "Whether a running container stands still meanwhile; default true",
                     .target = &options->pause,
                     .choices = {"true", "false"}},
                    {.names = "-c,--change",
                     .value_name = "INSTRUCTION",
                     .help =
                         "Change the config as a Dockerfile would: CMD, ENTRYPOINT, ENV, "
                         "EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR",
                     .target = &options->request.changes}},
        .examples = {{"oblea commit web web:1", "The container 'web' as the image web:1"},
                     {"oblea commit -m \"add curl\" -c 'CMD [\"curl\"]' web curl",
                      "With a message, and another command"}},
        .run = [options](Context& context) { return commit(context, *options); },
    };
}

}  // namespace oblea::tools
