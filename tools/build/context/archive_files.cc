// SPDX-License-Identifier: MIT
#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/image/archive_reader.h"
#include "store/layer/append_file.h"
#include "store/layer/layout.h"
#include "tools/build/context/context_files.h"

#include <fmt/format.h>

#include <map>

namespace oblea::tools::build {

namespace {

using store::ArchiveEntry;
using store::ArchiveReader;
using store::FileType;
using store::RelPath;

struct Member {
    SourceNode node;
    std::uint64_t offset = 0;                          // of a regular file's contents
    std::map<std::string, std::size_t> children = {};  // of a folder: places in the list of members
};

SourceNode folder_node() {
    SourceNode node;
    node.attr.type = FileType::directory;
    node.attr.permissions = 0755;
    return node;
}

// The first member is the root. Numbers of members that were replaced are not used again.
struct Members {
    std::vector<Member> list{Member{.node = folder_node()}};

    [[nodiscard]] std::optional<std::size_t> find(RelPath const& path) const {
        std::size_t at = 0;
        for (std::string_view const name : path.components()) {
            auto const& children = list[at].children;
            auto const child = children.find(std::string{name});
            if (child == children.end()) {
                return std::nullopt;
            }
            at = child->second;
        }
        return at;
    }
};

class ArchiveFiles final : public ContextFiles {
public:
    ArchiveFiles(Members members, base::UniqueFd contents)
        : members_(std::move(members)), contents_(std::move(contents)) {}

    [[nodiscard]] Result<std::optional<SourceNode>> look(RelPath const& path) const override {
        auto const found = members_.find(path);
        return found.has_value() ? std::optional{members_.list[*found].node} : std::nullopt;
    }

    [[nodiscard]] Result<std::vector<std::string>> list(RelPath const& folder) const override {
        auto const found = members_.find(folder);
        if (!found.has_value()) {
            return fail(Errno::enoent, "", base::printable(folder.string()));
        }
        std::vector<std::string> names;
        for (auto const& [name, member] : members_.list[*found].children) {
            names.push_back(name);
        }
        return names;
    }

    [[nodiscard]] Result<std::unique_ptr<base::ByteSource>>
    open(RelPath const& file) const override {
        auto const found = members_.find(file);
        if (!found.has_value() || members_.list[*found].node.attr.type != FileType::regular) {
            return fail(Errno::einval, "", base::printable(file.string()) + " is no regular file");
        }
        Member const& member = members_.list[*found];
        return std::unique_ptr<base::ByteSource>{std::make_unique<base::FileRangeSource>(
            contents_.get(), member.offset, member.node.attr.size)};
    }

private:
    Members members_;
    base::UniqueFd contents_;
};

// Reads the archive, member by member, as if each were unpacked over those before it.
class Unpacker {
public:
    explicit Unpacker(store::AppendFile& contents) : contents_(contents) {}

    Status add(ArchiveEntry const& entry, ArchiveReader& archive) {
        RelPath const path = OBLEA_TRY(RelPath::parse(entry.path));
        if (entry.type == FileType::socket) {
            return {};
        }
        if (!entry.hard_link_target.empty()) {
            return add_hard_link(path, entry);
        }
        Member member{.node = node_of(entry)};
        if (entry.type == FileType::regular) {
            member.offset = contents_.bytes();
            OBLEA_TRY(append_contents(archive));
            member.node.attr.size = contents_.bytes() - member.offset;
        }
        return put(path, std::move(member));
    }

    Members take() && { return std::move(members_); }

private:
    static SourceNode node_of(ArchiveEntry const& entry) {
        SourceNode node;
        node.attr.type = entry.type;
        node.attr.permissions = entry.permissions & 07777U;
        node.attr.mtime = entry.mtime;
        node.attr.device = entry.device;
        if (entry.type == FileType::symlink) {
            node.link_target = entry.symlink_target;
            node.attr.size = node.link_target.size();
        }
        return node;
    }

    Status append_contents(ArchiveReader& archive) {
        while (true) {
            std::size_t const count = OBLEA_TRY(archive.read(buffer_));
            if (count == 0) {
                return {};
            }
            OBLEA_TRY(contents_.append(base::ByteView{buffer_}.first(count)));
        }
    }

    Status add_hard_link(RelPath const& path, ArchiveEntry const& entry) {
        RelPath const target = OBLEA_TRY(RelPath::parse(entry.hard_link_target));
        auto const found = members_.find(target);
        if (!found.has_value() || members_.list[*found].node.attr.type == FileType::directory) {
            return fail(Errno::einval, "",
                        fmt::format("a link to {}, which is no file of the archive",
                                    base::printable(entry.hard_link_target)));
        }
        Member& original = members_.list[*found];
        if (original.node.link_id == 0) {
            original.node.link_id = *found;
        }
        return put(path, Member{original});
    }

    Status put(RelPath const& path, Member member) {
        if (path.is_root()) {
            if (member.node.attr.type != FileType::directory) {
                return fail(Errno::einval, "", "the archive's root is no folder");
            }
            members_.list[0].node = std::move(member.node);
            return {};
        }
        std::size_t const parent = OBLEA_TRY(folder_at(path.parent()));
        std::string const name{path.filename()};
        auto const existing = members_.list[parent].children.find(name);
        bool const is_folder = member.node.attr.type == FileType::directory;
        if (is_folder && existing != members_.list[parent].children.end() &&
            members_.list[existing->second].node.attr.type == FileType::directory) {
            members_.list[existing->second].node = std::move(member.node);
            return {};
        }
        std::size_t const number = OBLEA_TRY(append(std::move(member)));
        members_.list[parent].children[name] = number;
        return {};
    }

    Result<std::size_t> append(Member member) {
        if (members_.list.size() >= limits::kContextEntriesMax) {
            return fail(Errno::e2big, "",
                        fmt::format("more than {} members", limits::kContextEntriesMax));
        }
        members_.list.push_back(std::move(member));
        return members_.list.size() - 1;
    }

    // Folders that the archive does not name are made. A link in the way is not followed: what
    // would lie behind it is nobody's to say.
    Result<std::size_t> folder_at(RelPath const& path) {
        std::size_t at = 0;
        for (std::string_view const component : path.components()) {
            std::string name{component};
            auto const child = members_.list[at].children.find(name);
            if (child == members_.list[at].children.end()) {
                std::size_t const made = OBLEA_TRY(append(Member{.node = folder_node()}));
                members_.list[at].children.emplace(std::move(name), made);
                at = made;
                continue;
            }
            at = child->second;
            if (members_.list[at].node.attr.type != FileType::directory) {
                return fail(Errno::einval, "",
                            fmt::format("it lies in {}, which is no folder",
                                        base::printable(path.string())));
            }
        }
        return at;
    }

    store::AppendFile& contents_;
    base::Bytes buffer_ = base::Bytes(256U << 10U);
    Members members_;
};

}  // namespace

Result<std::unique_ptr<ContextFiles>> archive_files(store::Store const& store,
                                                    base::ByteSource& archive) {
    base::UniqueFd file = OBLEA_TRY(
        base::sys::openat(store.root(), store::layout::kTmp, O_TMPFILE | O_RDWR, mode_t{0600}));
    base::UniqueFd for_reading = OBLEA_TRY(base::sys::duplicate(file.get()));
    store::AppendFile contents{std::move(file)};
    Unpacker unpacker{contents};
    ArchiveReader reader = OBLEA_TRY(ArchiveReader::open(archive, ArchiveReader::Format::tar));
    while (auto const entry = OBLEA_TRY(reader.next())) {
        OBLEA_TRY(with_context(unpacker.add(*entry, reader),
                               [&] { return "member " + base::printable(entry->path); }));
    }
    OBLEA_TRY(contents.flush());
    return std::unique_ptr<ContextFiles>{
        std::make_unique<ArchiveFiles>(std::move(unpacker).take(), std::move(for_reading))};
}

std::unique_ptr<ContextFiles> no_files() {
    return std::make_unique<ArchiveFiles>(Members{}, base::UniqueFd{});
}

}  // namespace oblea::tools::build
