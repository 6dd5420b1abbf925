// SPDX-License-Identifier: MIT
#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"
#include "tools/cli/open_store.h"
#include "tools/commands/commands.h"
#include "tools/container/container_view.h"
#include "tools/container/container_volumes.h"
#include "tools/container/copy_tree.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/own_root.h"
#include "tools/mount/private_mounts.h"
#include "tools/output/human.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

namespace oblea::tools {

namespace {

namespace sys = base::sys;
using base::UniqueFd;

struct CpOptions {
    std::string source;
    std::string target;
    bool archive = false;
    bool follow = false;
    bool quiet = false;
};

// A path as its folder and the last component.
struct Split {
    std::string folder;
    std::string name;
    bool slash = false;
    bool contents = false;  // "PATH/."
};

Split split(std::string path) {
    Split parts;
    if (path == "." || path.ends_with("/.")) {
        parts.contents = true;
        path.pop_back();
    }
    parts.slash = path.ends_with('/');
    while (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    auto const last = path.rfind('/');
    if (path.empty() || path == "/" || path == "..") {
        parts.folder = path.empty() ? "." : path;
        parts.name = ".";
        parts.contents = true;
    } else if (last == std::string::npos) {
        parts.folder = ".";
        parts.name = path;
    } else {
        parts.folder = last == 0 ? "/" : path.substr(0, last);
        parts.name = path.substr(last + 1);
    }
    return parts;
}

// Opens a folder; on the machine or in a container's tree.
using OpenFolder = std::function<Result<UniqueFd>(std::string const& path)>;

struct Source {
    UniqueFd folder;
    CopySource what;
};

constexpr int kEndLinksMax = 40;  // as the kernel has it

// Where a path leads when its last component is a link.
Result<std::string> follow_links(OpenFolder const& open, std::string path) {
    for (int links = 0; links < kEndLinksMax; ++links) {
        Split const parts = split(path);
        auto const folder = OBLEA_TRY(open(parts.folder));
        auto const info = OBLEA_TRY(sys::stat_if_exists(folder.get(), parts.name.c_str()));
        if (!info.has_value() || !S_ISLNK(info->st_mode)) {
            return path;
        }
        std::string target = OBLEA_TRY(sys::readlinkat(folder.get(), parts.name.c_str()));
        path = target.starts_with('/') ? std::move(target) : parts.folder + '/' + target;
    }
    return fail(Errno::eloop, "", path);
}

Result<Source> find_source(OpenFolder const& open, std::string const& typed, bool follow) {
    std::string const path = follow ? OBLEA_TRY(follow_links(open, typed)) : typed;
    Split const parts = split(path);
    Source source;
    if (parts.contents) {
        source.folder = OBLEA_TRY(open(path));
        source.what = {.name = ".", .kind = CopySource::Kind::contents};
        return source;
    }
    source.folder = OBLEA_TRY(open(parts.folder));
    auto const info = OBLEA_TRY(
        with_context(sys::fstatat(source.folder.get(), parts.name.c_str()), [&] { return path; }));
    bool const folder = S_ISDIR(info.st_mode);
    if (parts.slash && !folder) {
        return fail(Errno::enotdir, "", path + ": not a directory");
    }
    source.what = {.name = parts.name,
                   .kind = folder ? CopySource::Kind::folder : CopySource::Kind::file};
    return source;
}

struct OpenTarget {
    UniqueFd folder;  // the target itself when it is one, else the one that it is in
    CopyTarget what;
};

// A link stands for what it leads to, be it there or not.
Result<OpenTarget> find_target(OpenFolder const& open, std::string const& typed) {
    OpenTarget target;
    auto folder = open(typed);
    if (folder.has_value()) {
        target.folder = *std::move(folder);
        target.what = {.kind = CopyTarget::Kind::folder, .name = {}};
        return target;
    }
    bool const is_name = !split(typed).contents;
    std::string const path = is_name ? follow_links(open, typed).value_or(typed) : typed;
    Split const parts = split(path);
    target.what = {
        .kind = CopyTarget::Kind::missing, .name = parts.name, .slash = split(typed).slash};
    auto parent = open(parts.folder);
    if (!parent.has_value() && parent.error().code == Errno::enoent) {
        return fail(Errno::enoent, "",
                    fmt::format("invalid output path: directory \"{}\" does not exist",
                                parts.folder.empty() ? "/" : parts.folder));
    }
    target.folder = OBLEA_TRY(with_context(std::move(parent), [&] { return parts.folder; }));
    auto const there = OBLEA_TRY(sys::stat_if_exists(target.folder.get(), parts.name.c_str()));
    if (there.has_value() && !S_ISREG(there->st_mode)) {
        // Unpacking would put a file in its place, and there is only one /dev/null.
        return fail(Errno::einval, "",
                    fmt::format("invalid output path: \"{}\" must be a directory or a regular file",
                                typed));
    }
    if (there.has_value()) {
        target.what.kind = CopyTarget::Kind::file;
    }
    return target;
}

Result<UniqueFd> open_here(std::string const& path) {
    return sys::open(path, O_RDONLY | O_DIRECTORY);
}

OpenFolder open_inside(UniqueFd const& root) {
    return [&root](std::string const& path) {
        return open_in_root(root, path.empty() ? "/" : path.c_str(), O_RDONLY | O_DIRECTORY);
    };
}

// The new folder that "PATH/." was copied to is as PATH itself is.
Status settle_folder(int parent, std::string const& name, struct stat const& source,
                     UnpackWish::Owners owners) {
    if (owners == UnpackWish::Owners::kept) {
        OBLEA_TRY(sys::fchownat(parent, name.c_str(), source.st_uid, source.st_gid));
    }
    OBLEA_TRY(sys::fchmodat(parent, name.c_str(), source.st_mode & 07777U));
    std::array const times{source.st_atim, source.st_mtim};
    return sys::utimensat(parent, name.c_str(), times.data());
}

Result<std::uint64_t> copy(Source& source, OpenTarget const& target, UnpackWish::Owners owners,
                           store::FolderTarOptions const& options) {
    CopyPlan const plan = OBLEA_TRY(plan_copy(source.what, target.what));
    if (plan.into != CopyPlan::Into::new_folder) {
        auto const tar = tar_of(std::move(source.folder), source.what.name, options);
        return unpack_tar(*tar,
                          {.target = target.folder.get(), .rename = plan.rename, .owners = owners});
    }
    auto const info = OBLEA_TRY(sys::fstat(source.folder.get()));
    auto const tar = tar_of(std::move(source.folder), source.what.name, options);
    OBLEA_TRY(sys::mkdirat(target.folder.get(), plan.rename.c_str(), 0755));
    auto const folder =
        OBLEA_TRY(sys::openat(target.folder.get(), plan.rename.c_str(), O_RDONLY | O_DIRECTORY));
    std::uint64_t const bytes =
        OBLEA_TRY(unpack_tar(*tar, {.target = folder.get(), .rename = {}, .owners = owners}));
    OBLEA_TRY(settle_folder(target.folder.get(), plan.rename, info,
                            options.owner.has_value() ? UnpackWish::Owners::caller : owners));
    return bytes;
}

std::vector<BindMount> in_order(std::vector<BindMount> binds) {
    std::ranges::stable_sort(
        binds, {}, [](BindMount const& one) { return std::ranges::count(one.target, '/'); });
    return binds;
}

// As what runs in it sees it, with volumes and what else is shown there: in a mount namespace of
// this process's own.
Result<UniqueFd> open_shown(ContainerView const& view) {
    if (view.container.run.empty()) {
        return sys::duplicate(view.root);
    }
    RunConfig const config = OBLEA_TRY(run_config_of(view.container));
    std::vector<BindMount> shown = OBLEA_TRY(volume_binds(view.store, config));
    shown.insert(shown.end(), config.binds.begin(), config.binds.end());
    if (shown.empty()) {
        return sys::duplicate(view.root);
    }
    OBLEA_TRY(enter_mount_namespace());
    UniqueFd root = OBLEA_TRY(sys::open(view.path, O_RDONLY | O_DIRECTORY));
    for (BindMount const& bind : in_order(std::move(shown))) {
        bool const read_only = bind.access == BindMount::Access::read_only;
        OBLEA_TRY(with_context(
            mount_in_root(root, {.target = bind.target,
                                 .type = {},
                                 .source = bind.source,
                                 .flags = read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0,
                                 .data = {}}),
            [&] { return bind.target; }));
    }
    return root;
}

// Including what is mounted there.
constexpr store::FolderTarOptions kShown{
    .latest = {}, .owner = {}, .mounted = store::FolderTarOptions::Mounted::included};

Result<Source> find_inside(UniqueFd const& root, CopyEnd const& from, CpOptions const& options) {
    auto source = find_source(open_inside(root), from.path, options.follow);
    if (!source.has_value() && source.error().code == Errno::enoent) {
        return fail(
            Errno::enoent, "",
            fmt::format("Could not find the file {} in container {}", from.path, from.container));
    }
    return source;
}

Result<std::string> copy_out(ContainerView const& view, CopyEnd const& from, CopyTarget const& to,
                             CpOptions const& options) {
    UniqueFd const root = OBLEA_TRY(open_shown(view));
    Source source = OBLEA_TRY(find_inside(root, from, options));
    OpenTarget const target{.folder = OBLEA_TRY(sys::duplicate(view.extra)), .what = to};
    auto const owners = options.archive ? UnpackWish::Owners::kept : UnpackWish::Owners::caller;
    return std::to_string(OBLEA_TRY(copy(source, target, owners, kShown)));
}

Result<std::string> stream_out(ContainerView const& view, CopyEnd const& from,
                               CpOptions const& options) {
    UniqueFd const root = OBLEA_TRY(open_shown(view));
    Source source = OBLEA_TRY(find_inside(root, from, options));
    auto const tar = tar_of(std::move(source.folder), source.what.name, kShown);
    std::vector<std::byte> buffer(base::kLargeBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(tar->read(buffer));
        if (count == 0) {
            return std::string{"0"};
        }
        OBLEA_TRY(sys::write_all(view.extra, base::ByteView{buffer}.first(count)));
    }
}

Result<std::string> copy_in(ContainerView const& view, CopySource const& from, CopyEnd const& to,
                            CpOptions const& options) {
    UniqueFd const root = OBLEA_TRY(open_shown(view));
    Source source{.folder = OBLEA_TRY(sys::duplicate(view.extra)), .what = from};
    OpenTarget const target = OBLEA_TRY(find_target(open_inside(root), to.path));
    store::FolderTarOptions tar;
    if (!options.archive) {
        tar.owner = store::TarOwner{};
    }
    return std::to_string(OBLEA_TRY(copy(source, target, UnpackWish::Owners::kept, tar)));
}

Result<std::string> stream_in(ContainerView const& view, CopyEnd const& to) {
    UniqueFd const root = OBLEA_TRY(open_shown(view));
    OpenTarget const target = OBLEA_TRY(find_target(open_inside(root), to.path));
    if (target.what.kind != CopyTarget::Kind::folder) {
        return fail(
            Errno::enotdir, "",
            fmt::format("destination \"{}:{}\" must be a directory", to.container, to.path));
    }
    base::FdSource stream{OBLEA_TRY(sys::duplicate(view.extra))};
    OBLEA_TRY(unpack_tar(
        stream, {.target = target.folder.get(), .rename = {}, .owners = UnpackWish::Owners::kept}));
    return std::string{"0"};
}

Result<std::string> carry_out(Context const& context, CopyEnd const& from, CopyEnd const& to,
                              CpOptions const& options) {
    auto const store = OBLEA_TRY(open_store(context));
    if (!from.container.empty()) {
        Container const container = OBLEA_TRY(need_container(store, from.container));
        if (to.path == "-") {
            return look_into(store, container, STDOUT_FILENO, [&](ContainerView const& view) {
                return stream_out(view, from, options);
            });
        }
        OpenTarget const target = OBLEA_TRY(find_target(open_here, to.path));
        return look_into(store, container, target.folder.get(), [&](ContainerView const& view) {
            return copy_out(view, from, target.what, options);
        });
    }
    Container const container = OBLEA_TRY(need_container(store, to.container));
    if (from.path == "-") {
        return look_into(store, container, STDIN_FILENO,
                         [&](ContainerView const& view) { return stream_in(view, to); });
    }
    Source const source = OBLEA_TRY(find_source(open_here, from.path, options.follow));
    return look_into(store, container, source.folder.get(), [&](ContainerView const& view) {
        return copy_in(view, source.what, to, options);
    });
}

Result<int> cp(Context& context, CpOptions const& options) {
    CopyEnd const from = parse_copy_end(options.source);
    CopyEnd const to = parse_copy_end(options.target);
    if (!from.container.empty() && !to.container.empty()) {
        return fail(Errno::einval, "", "copying between containers is not supported");
    }
    if (from.container.empty() && to.container.empty()) {
        return fail(Errno::einval, "", "must specify at least one container source");
    }
    bool const streamed = from.path == "-" || to.path == "-";
    if (to.container.empty() && to.path == "-" && ::isatty(STDOUT_FILENO) != 0) {
        return fail(Errno::einval, "", "cowardly refusing to copy to a terminal; redirect it");
    }
    std::string const counted = OBLEA_TRY(carry_out(context, from, to, options));
    if (!options.quiet && !streamed) {
        std::uint64_t bytes = 0;
        std::from_chars(counted.data(), counted.data() + counted.size(), bytes);
        fmt::print(context.streams().err, "Successfully copied {} to {}\n", human_size(bytes),
                   options.target);
    }
    return exit_code::kSuccess;
}

}  // namespace

Command cp_command() {
    auto options = std::make_shared<CpOptions>();
    return {
        .name = "cp",
        .aliases = {"container cp"},
        .section = Command::Section::containers,
        .summary = "Copy files between a container and the machine",
        .description =
            "One side is CONTAINER:PATH, the other a path of the machine, or - for a tar on "
            "standard input or output. The container may be running or not; its volumes are part "
            "of it. A folder is copied "
            "into a folder that exists, else under the new name; SOURCE/. copies what is in it.\n\n"
            "What is copied in belongs to root, and what is copied out to you, unless --archive is "
            "given.",
        .operands = {{.name = "SOURCE",
                      .help = "CONTAINER:PATH, a path, or -",
                      .target = &options->source},
                     {.name = "TARGET",
                      .help = "CONTAINER:PATH, a path, or -",
                      .target = &options->target}},
        .options = {{.names = "-a,--archive",
                     .value_name = "",
                     .help = "Keep owners",
                     .target = &options->archive},
                    {.names = "-L,--follow-link",
                     .value_name = "",
                     .help = "Copy what SOURCE leads to, where it is a link",
                     .target = &options->follow},
                    {.names = "-q,--quiet",
                     .value_name = "",
                     .help = "Say nothing",
                     .target = &options->quiet}},
        .examples = {{"oblea cp info.php web:/var/www/html", "Into a container"},
                     {"oblea cp web:/var/log .", "Out of it"},
                     {"oblea cp web:/etc - | tar t", "As a tar"}},
        .run = [options](Context& context) { return cp(context, *options); },
    };
}

}  // namespace oblea::tools
