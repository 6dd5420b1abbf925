// SPDX-License-Identifier: MIT
#include "tools/cli/interrupt.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/commands/registry_commands.h"
#include "tools/container/inspect_container.h"
#include "tools/container/volume_rows.h"
#include "tools/images/inspect_image.h"
#include "tools/registry/pull_image.h"
#include "tools/template/rows.h"
#include "tools/template/template.h"

#include <functional>
#include <memory>

namespace oblea::tools {

using nlohmann::ordered_json;

namespace {

constexpr int kTemplateExit = 64;  // docker's, of a template that cannot be parsed

enum class Inspected { any, image, container, volume };

struct InspectOptions {
    std::vector<std::string> names;
    std::string type;
    std::string format;
    std::string platform;
    bool remote = false;
    bool size = false;
};

// What is looked for by a name, and how much is told of it.
struct Wanted {
    Inspected kind = Inspected::any;
    ShowSize size = ShowSize::no;
};

Inspected kind_of(Inspected kind, std::string const& type) {
    if (type.empty()) {
        return kind;
    }
    return type == "image"    ? Inspected::image
           : type == "volume" ? Inspected::volume
                              : Inspected::container;
}

// What `typed` names, containers first, volumes last; nothing when there is none.
Result<std::optional<ordered_json>> find_object(store::Store const& store, std::string const& typed,
                                                Wanted const& wanted) {
    Inspected const kind = wanted.kind;
    if (kind == Inspected::any || kind == Inspected::container) {
        auto const container = OBLEA_TRY(find_container(store, typed));
        if (container.has_value()) {
            return std::optional{OBLEA_TRY(describe_container(store, *container, wanted.size))};
        }
    }
    if (kind == Inspected::any || kind == Inspected::image) {
        auto const images = OBLEA_TRY(store.images());
        auto const image = images.resolve(typed);
        if (image.has_value()) {
            return std::optional{OBLEA_TRY(describe_image(store, **image))};
        }
        // A name that no image can have may still be meant for something else.
        if (kind == Inspected::image ||
            (image.error().code != Errno::enoent && image.error().code != Errno::einval)) {
            return std::unexpected<Error>(image.error());
        }
    }
    if (kind == Inspected::any || kind == Inspected::volume) {
        auto const volume = OBLEA_TRY(find_volume(store, typed));
        if (volume.has_value()) {
            return std::optional{describe_volume(store, *volume)};
        }
    }
    return std::optional<ordered_json>{};
}

std::string not_there(Inspected kind, std::string const& typed) {
    return kind == Inspected::volume      ? "get " + typed + ": no such volume"
           : kind == Inspected::container ? "No such container: " + typed
                                          : "No such object: " + typed;
}

Result<ordered_json> inspect_one(store::Store const& store, std::string const& typed,
                                 Wanted const& wanted) {
    auto found = OBLEA_TRY(find_object(store, typed, wanted));
    if (!found.has_value()) {
        return fail(Errno::enoent, "", not_there(wanted.kind, typed));
    }
    return *std::move(found);
}

// Docker's objects have every field, and JSON leaves out those that are empty. Templates may name
// those too.
ordered_json with_empty_fields(ordered_json object) {
    ordered_json const text = "";
    ordered_json const list = ordered_json::array();
    ordered_json const map = ordered_json::object();
    auto complete = [](ordered_json& target,
                       std::vector<std::pair<char const*, ordered_json>> const& fields) {
        for (auto const& [name, empty] : fields) {
            if (!target.contains(name)) {
                target[name] = empty;
            }
        }
    };
    complete(object, {{"Parent", text},
                      {"Comment", text},
                      {"Author", text},
                      {"Variant", text},
                      {"OsVersion", text},
                      {"RepoTags", list},
                      {"RepoDigests", list},
                      {"Mounts", list},
                      {"Config", map}});
    complete(object["Config"], {{"User", text},
                                {"ExposedPorts", map},
                                {"Env", list},
                                {"Cmd", list},
                                {"Healthcheck", nullptr},
                                {"Volumes", map},
                                {"WorkingDir", text},
                                {"Entrypoint", list},
                                {"OnBuild", list},
                                {"Labels", map},
                                {"StopSignal", text},
                                {"Shell", list}});
    return object;
}

Result<std::string> render(templates::Template const& format, ordered_json const& object) {
    using enum templates::Template::MissingKey;
    auto const plain = format.execute(templates::from_json(object), error);
    if (plain.has_value()) {
        return *plain;
    }
    auto const complete = format.execute(templates::from_json(with_empty_fields(object)), error);
    if (complete.has_value()) {
        return *complete;
    }
    return std::unexpected<Error>(templates::template_error(complete.error()));
}

std::string compact(ordered_json const& document, int indent) {
    return document.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

Status print_objects(Context const& context, std::vector<ordered_json> const& objects,
                     std::optional<templates::Template> const& format, bool is_json) {
    if (format.has_value()) {
        for (auto const& object : objects) {
            context.line(OBLEA_TRY(render(*format, object)));
        }
        return {};
    }
    constexpr int kIndent = 4;
    context.line(compact(ordered_json(objects), is_json ? -1 : kIndent));
    return {};
}

// Manifest and config as they are at the registry.
Result<ordered_json> inspect_at_registry(registry::RegistrySession& session,
                                         std::string const& typed, std::string const& platform) {
    auto const parsed = OBLEA_TRY(store::Reference::parse(typed));
    store::Reference const reference = parsed.with_default_tag();
    auto const found = OBLEA_TRY(
        registry::inspect_remote(session, {.reference = reference, .platform = platform}));
    return ordered_json{{"Name", reference.canonical()},
                        {"Digest", found.digest.to_string()},
                        {"Manifest", ordered_json::parse(found.manifest, nullptr, false)},
                        {"Config", ordered_json::parse(found.config, nullptr, false)}};
}

// How an object is found by what was typed.
using Find = std::function<Result<ordered_json>(std::string const& typed)>;

Result<int> inspect_by(Context& context, InspectOptions const& options, Find const& find);

Result<int> inspect(Context& context, InspectOptions const& options, Inspected fixed) {
    if (!options.remote) {
        auto const store = OBLEA_TRY(open_store(context));
        Wanted const wanted{.kind = kind_of(fixed, options.type),
                            .size = options.size ? ShowSize::yes : ShowSize::no};
        return inspect_by(context, options, [&](std::string const& typed) {
            return inspect_one(store, typed, wanted);
        });
    }
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    return inspect_by(context, options, [&](std::string const& typed) {
        return inspect_at_registry(*session, typed, options.platform);
    });
}

Result<int> inspect_by(Context& context, InspectOptions const& options, Find const& find) {
    bool const is_json = options.format == "json";
    std::optional<templates::Template> format;
    if (!options.format.empty() && !is_json) {
        auto parsed = templates::Template::parse(options.format);
        if (!parsed.has_value()) {
            context.error(templates::template_error(parsed.error()));
            return kTemplateExit;
        }
        format = *std::move(parsed);
    }
    std::vector<ordered_json> objects;
    std::vector<Error> errors;
    for (auto const& name : options.names) {
        auto object = find(name);
        if (object.has_value()) {
            objects.push_back(*std::move(object));
        } else {
            errors.push_back(std::move(object).error());
        }
    }
    // As docker: what was found comes first, and an empty list when nothing was.
    OBLEA_TRY(print_objects(context, objects, format, is_json));
    for (auto const& error : errors) {
        context.error(error);
    }
    return errors.empty() ? exit_code::kSuccess : exit_code::kFailure;
}

struct KindWords {
    std::string command;
    std::string things;
    std::string operand;
    std::string example;  // a name
    std::string field;
    Command::Section section;
};

KindWords words_of(Inspected kind) {
    using Section = Command::Section;
    switch (kind) {
    case Inspected::image:
        return {"image inspect", "images", "IMAGE", "debian", "Id", Section::images};
    case Inspected::container:
        return {"container inspect", "containers", "CONTAINER", "web", "Id", Section::containers};
    case Inspected::volume:
        return {"volume inspect", "volumes", "VOLUME", "data", "Mountpoint", Section::containers};
    case Inspected::any:
        break;
    }
    return {"inspect", "images, containers and volumes", "NAME", "debian", "Id", Section::images};
}

Command make_command(Inspected kind) {
    auto options = std::make_shared<InspectOptions>();
    KindWords const words = words_of(kind);
    Command command{
        .name = words.command,
        .aliases = {},
        .section = words.section,
        .summary = "Show all that is known of " + words.things,
        .description = "As JSON, in docker's shape. What is not there is told at the end, after "
                       "what was found.\n\n"
                       "A format is a Go template over the fields of the JSON.",
        .operands = {{.name = words.operand, .help = "Name or id", .target = &options->names}},
        .options = {{.names = "-f,--format",
                     .value_name = "FORMAT",
                     .help = "json (on one line), or a Go template",
                     .target = &options->format}},
        .examples = {{"oblea " + words.command + ' ' + words.example, "Everything"},
                     {"oblea " + words.command + " -f '{{." + words.field + "}}' " + words.example,
                      "Only that"}},
        .run = [options, kind](Context& context) { return inspect(context, *options, kind); },
    };
    if (kind == Inspected::any || kind == Inspected::image) {
        command.options.push_back({.names = "--remote",
                                   .value_name = "",
                                   .help = "What the registry says of the image: manifest and "
                                           "config, without pulling it",
                                   .target = &options->remote});
        command.options.push_back({.names = "--platform",
                                   .value_name = "OS/ARCH",
                                   .help = "With --remote: the image of this platform",
                                   .target = &options->platform});
    }
    if (kind == Inspected::any || kind == Inspected::container) {
        command.options.push_back({.names = "-s,--size",
                                   .value_name = "",
                                   .help = "Of containers: SizeRw, what the writable layer holds, "
                                           "and SizeRootFs, with the image",
                                   .target = &options->size});
    }
    if (kind == Inspected::any) {
        command.options.push_back({.names = "--type",
                                   .value_name = "TYPE",
                                   .help = "Only an image, a container or a volume of that name",
                                   .target = &options->type,
                                   .choices = {"image", "container", "volume"}});
    }
    return command;
}

}  // namespace

Command inspect_command() {
    return make_command(Inspected::any);
}

Command image_inspect_command() {
    return make_command(Inspected::image);
}

Command container_inspect_command() {
    return make_command(Inspected::container);
}

Command volume_inspect_command() {
    return make_command(Inspected::volume);
}

}  // namespace oblea::tools
