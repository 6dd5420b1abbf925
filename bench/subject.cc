// SPDX-License-Identifier: MIT
#include "bench/subject.h"

#include "bench/overlay_mount.h"
#include "store/base/sys.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace oblea::bench {
namespace {

namespace sys = base::sys;

Status unmount(std::string const& root) {
    if (::umount2(root.c_str(), UMOUNT_NOFOLLOW) == 0) {
        return {};
    }
    Errno const code = sys::last_errno();
    return code == Errno::eperm ? run({"fusermount3", "-u", root})
                                : Status{fail(code, "umount", root)};
}

Shown mounted(std::string const& root) {
    return Shown{root, [root] { return unmount(root); }};
}

class Plain final : public Subject {
public:
    [[nodiscard]] std::string name() const override { return "plain"; }
    Status prepare(Workspace& /*space*/, Tree const& tree) override {
        shown_ = tree.merged;
        return {};
    }
    Result<Shown> show(Tree const& /*tree*/, Place const& place, Use use) override {
        if (use == Use::reading) {
            return Shown{shown_, nullptr};
        }
        std::string const copy = place.upper + "/copy";
        OBLEA_TRY(run({"cp", "-a", "--reflink=auto", shown_, copy}));
        return Shown{copy, [copy] { return sys::remove_tree(AT_FDCWD, copy.c_str()); }};
    }

private:
    std::string shown_;
};

class Overlayfs final : public Subject {
public:
    [[nodiscard]] std::string name() const override { return "overlayfs"; }
    Result<Shown> show(Tree const& tree, Place const& place, Use /*use*/) override {
        OBLEA_TRY(mount_overlay({.layers = tree.layers, .upper = place.upper, .work = place.work},
                                place.root));
        return mounted(place.root);
    }
};

class Oblea final : public Subject {
public:
    // `options`: of `oblea mount`.
    Oblea(std::string program, std::string name, std::vector<std::string> options)
        : program_(std::move(program)), name_(std::move(name)), options_(std::move(options)) {}

    [[nodiscard]] std::string name() const override { return name_; }
    [[nodiscard]] bool usual() const override { return options_.empty() || is_read_only(); }
    [[nodiscard]] Changes changes() const override {
        return is_read_only() ? Changes::refused : Changes::allowed;
    }

    Status prepare(Workspace& space, Tree const& tree) override {
        store_ = OBLEA_TRY(space.fresh_folder("store"));
        return run(
            {program_, "--root", store_, "import", "--progress", "none", tree.layout, "bench"});
    }

    Result<Shown> show(Tree const& /*tree*/, Place const& place, Use /*use*/) override {
        std::vector<std::string> command{program_, "--root", store_, "mount"};
        command.insert(command.end(), options_.begin(), options_.end());
        if (!is_read_only()) {
            command.insert(command.end(), {"--upper", place.upper});
        }
        command.insert(command.end(), {"bench", place.root});
        OBLEA_TRY(run(command));
        return Shown{place.root, [this, root = place.root] {
                         return run({program_, "--root", store_, "umount", root});
                     }};
    }

    [[nodiscard]] std::uint64_t server_bytes(Place const& place) const override;

private:
    [[nodiscard]] bool is_read_only() const {
        return std::ranges::find(options_, "--read-only") != options_.end();
    }

    std::string program_;
    std::string name_;
    std::vector<std::string> options_;
    std::string store_;
};

std::uint64_t private_bytes(std::int64_t pid) {
    auto const text = sys::read_file(AT_FDCWD, fmt::format("/proc/{}/smaps_rollup", pid).c_str(),
                                     std::size_t{1} << 16U);
    if (!text.has_value()) {
        return 0;
    }
    std::istringstream lines{*text};
    std::uint64_t kib = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("Private_")) {
            kib += std::strtoull(line.substr(line.find(':') + 1).c_str(), nullptr, 10);
        }
    }
    return kib * 1024;
}

std::uint64_t Oblea::server_bytes(Place const& place) const {
    auto const text = output_of({program_, "--root", store_, "mounts", "--format", "json"});
    auto const mounts =
        text.has_value() ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json{};
    for (auto const& mount : mounts) {
        if (mount.is_object() && mount.value("mount_point", "") == place.root) {
            return private_bytes(mount.value("pid", std::int64_t{0}));
        }
    }
    return 0;
}

// Unions in user space, which differ in how they are told their folders.
class FuseUnion final : public Subject {
public:
    using Command = std::vector<std::string> (*)(Tree const&, Place const&);
    FuseUnion(std::string name, Command command) : name_(std::move(name)), command_(command) {}

    [[nodiscard]] std::string name() const override { return name_; }
    Result<Shown> show(Tree const& tree, Place const& place, Use /*use*/) override {
        OBLEA_TRY(run(command_(tree, place)));
        return mounted(place.root);
    }

private:
    std::string name_;
    Command command_;
};

std::vector<std::string> top_first(std::vector<std::string> const& layers) {
    return {layers.rbegin(), layers.rend()};
}

std::vector<std::string> fuse_overlayfs(Tree const& tree, Place const& place) {
    return {"fuse-overlayfs", "-o",
            fmt::format("lowerdir={},upperdir={},workdir={}",
                        fmt::join(top_first(tree.layers), ":"), place.upper, place.work),
            place.root};
}

std::vector<std::string> unionfs_fuse(Tree const& tree, Place const& place) {
    return {"unionfs", "-o", "cow",
            fmt::format("{}=RW:{}=RO", place.upper, fmt::join(top_first(tree.layers), "=RO:")),
            place.root};
}

class Squashfuse final : public Subject {
public:
    [[nodiscard]] std::string name() const override { return "squashfuse"; }
    [[nodiscard]] Changes changes() const override { return Changes::refused; }
    Status prepare(Workspace& space, Tree const& tree) override {
        image_ = OBLEA_TRY(space.fresh_folder("squashfs")) + "/image";
        return run({"mksquashfs", tree.merged, image_, "-quiet", "-no-progress"});
    }
    Result<Shown> show(Tree const& /*tree*/, Place const& place, Use /*use*/) override {
        OBLEA_TRY(run({"squashfuse_ll", image_, place.root}));
        return mounted(place.root);
    }

private:
    std::string image_;
};

}  // namespace

Shown::~Shown() {
    static_cast<void>(hide());  // the workspace takes away what stays
}

Status Shown::hide() {
    auto const hide = std::exchange(hide_, nullptr);
    return hide ? hide() : Status{};
}

std::vector<std::unique_ptr<Subject>> all_subjects(std::string const& oblea) {
    std::vector<std::unique_ptr<Subject>> subjects;
    subjects.push_back(std::make_unique<Overlayfs>());
    auto const add_oblea = [&](char const* name, std::vector<std::string> options) {
        subjects.push_back(std::make_unique<Oblea>(oblea, name, std::move(options)));
    };
    add_oblea("oblea read-only", {"--read-only"});
    add_oblea("oblea", {});
    add_oblea("oblea cached", {"--data", "cached"});
    add_oblea("oblea no-open", {"--data", "no-open"});
    subjects.push_back(std::make_unique<FuseUnion>("fuse-overlayfs", fuse_overlayfs));
    subjects.push_back(std::make_unique<FuseUnion>("unionfs-fuse", unionfs_fuse));
    subjects.push_back(std::make_unique<Squashfuse>());
    subjects.push_back(std::make_unique<Plain>());
    return subjects;
}

Status check_names(std::vector<std::string> const& names) {
    std::vector<std::string> known;
    for (auto const& subject : all_subjects({})) {
        known.push_back(subject->name());
    }
    for (std::string const& name : names) {
        if (std::ranges::find(known, name) == known.end()) {
            return fail(
                Errno::einval, "",
                fmt::format("no subject '{}'; there are: {}", name, fmt::join(known, ", ")));
        }
    }
    return {};
}

Result<Place> fresh_place(Workspace& space) {
    std::string const base = OBLEA_TRY(space.fresh_folder("place"));
    Place place{.root = base + "/root", .upper = base + "/upper", .work = base + "/work"};
    for (std::string const& folder : {place.root, place.upper, place.work}) {
        OBLEA_TRY(sys::mkdirat(AT_FDCWD, folder.c_str(), 0755));
    }
    return place;
}

}  // namespace oblea::bench
