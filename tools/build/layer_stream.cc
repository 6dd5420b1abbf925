// SPDX-License-Identifier: MIT
#include "tools/build/layer_stream.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/image/tar_encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace oblea::tools::build {

using base::ByteSource;
using base::MutableBytes;
using store::FileType;
using store::RelPath;

namespace {

constexpr std::string_view kMarkPrefix = ".wh.";

store::TarMemberHeader header_of(RelPath const& path, SourceNode const& node) {
    store::TarMemberHeader header;
    header.path = path.is_root() ? "." : path.string();
    header.type = node.attr.type;
    header.permissions = node.attr.permissions;
    header.uid = node.attr.uid;
    header.gid = node.attr.gid;
    header.size = node.attr.type == FileType::regular ? node.attr.size : 0;
    header.mtime = node.attr.mtime;
    header.device = node.attr.device;
    header.link_target = node.link_target;
    header.xattrs = node.xattrs;
    return header;
}

Status check_name(RelPath const& path) {
    if (path.filename().starts_with(kMarkPrefix)) {
        return fail(Errno::einval, "",
                    fmt::format("{}: a layer cannot hold a file whose name begins with .wh.",
                                base::printable(path.string())));
    }
    return {};
}

}  // namespace

struct LayerStream::Impl {
    struct OpenFile {
        ByteSource* source;
        std::string path;
        std::uint64_t bytes;
        std::uint64_t left;
    };
    struct OpenArchive {
        std::unique_ptr<ByteSource> source;
        store::ArchiveReader reader;
        RelPath folder;
    };

    Impl(CopyPlan& wanted, std::vector<UnpackedArchive> unpacked,
         std::optional<std::int64_t> latest_time)
        : plan(wanted), archives(std::move(unpacked)), latest(latest_time),
          next(plan.members().begin()) {}

    CopyPlan& plan;
    std::vector<UnpackedArchive> archives;
    std::optional<std::int64_t> latest;
    CopyMembers::const_iterator next;
    std::size_t archives_done = 0;
    bool ended = false;
    std::map<std::pair<SourceTree const*, std::uint64_t>, std::string> first_names;
    std::unique_ptr<ByteSource> contents;  // of a planned member
    std::optional<OpenFile> file;
    std::optional<OpenArchive> archive;
    // Of folders that archives put members into: told before those, and once.
    std::map<RelPath, SourceNode> told;
    std::string pending;
    std::size_t taken = 0;

    Status header(RelPath const& path, SourceNode const& node) {
        store::TarMemberHeader member = header_of(path, node);
        if (latest.has_value() && member.mtime > store::Timestamp{*latest, 0}) {
            member.mtime = {*latest, 0};
        }
        pending += OBLEA_TRY(store::encode_tar_header(member));
        return {};
    }

    // Produces more, or ends.
    Status advance() {
        pending.clear();
        taken = 0;
        if (!archive.has_value() && next != plan.members().end()) {
            auto const& [path, member] = *next++;
            return add_member(path, member);
        }
        if (archive.has_value()) {
            return unpack_next();
        }
        if (archives_done < archives.size()) {
            return open_archive(archives[archives_done++]);
        }
        pending = store::tar_end();
        ended = true;
        return {};
    }

    Status add_member(RelPath const& path, CopyMember const& member) {
        OBLEA_TRY(check_name(path));
        if (member.node.attr.type == FileType::socket) {
            return {};  // lives in no image
        }
        if (member.node.attr.type == FileType::directory && !archives.empty()) {
            told.emplace(path, member.node);
        }
        if (member.from == CopyMember::From::source && member.node.link_id != 0) {
            auto const [first, added] =
                first_names.try_emplace({member.tree, member.node.link_id}, path.string());
            if (!added) {
                store::TarMemberHeader link = header_of(path, member.node);
                link.link = store::TarMemberHeader::Link::hard;
                link.link_target = first->second;
                link.size = 0;
                link.xattrs.clear();
                pending += OBLEA_TRY(store::encode_tar_header(link));
                return {};
            }
        }
        if (member.node.attr.type == FileType::regular) {
            contents = OBLEA_TRY(member.tree->open(member.source));
            std::uint64_t const bytes = member.node.attr.size;
            file = OpenFile{contents.get(), path.string(), bytes, bytes};
        }
        return header(path, member.node);
    }

    Status open_archive(UnpackedArchive const& asked) {
        auto source = OBLEA_TRY(asked.tree->open(asked.archive));
        auto reader =
            OBLEA_TRY(store::ArchiveReader::open(*source, store::ArchiveReader::Format::tar));
        archive.emplace(OpenArchive{std::move(source), std::move(reader), asked.folder});
        return {};
    }

    Status unpack_next() {
        auto const entry = OBLEA_TRY(archive->reader.next());
        if (!entry.has_value()) {
            archive.reset();
            next = plan.members().end();
            return {};
        }
        return with_context(unpack(*entry), [&] { return base::printable(entry->path); });
    }

    // Folders that the plan has got since, for this member.
    Status tell_parents(RelPath const& path) {
        if (path.is_root() || told.contains(path)) {
            return {};
        }
        OBLEA_TRY(tell_parents(path.parent()));
        auto const member = plan.members().find(path);
        if (member == plan.members().end()) {
            return {};
        }
        told.emplace(path, member->second.node);
        return header(path, member->second.node);
    }

    Status unpack(store::ArchiveEntry const& entry) {
        RelPath const inside = OBLEA_TRY(RelPath::parse(entry.path));
        RelPath const path = OBLEA_TRY(plan.place_unpacked(archive->folder, inside));
        OBLEA_TRY(check_name(path));
        if (path.is_root()) {
            return {};
        }
        OBLEA_TRY(tell_parents(path.parent()));
        if (entry.type == FileType::socket) {
            return {};
        }
        SourceNode node;
        node.attr.type = entry.type;
        node.attr.permissions = entry.permissions;
        node.attr.uid = static_cast<std::uint32_t>(entry.uid);
        node.attr.gid = static_cast<std::uint32_t>(entry.gid);
        node.attr.size = entry.size.value_or(0);
        node.attr.mtime = entry.mtime;
        node.attr.device = entry.device;
        node.link_target = entry.symlink_target;
        node.xattrs = entry.xattrs;
        node = plan.with_archive_ownership(std::move(node));
        if (!entry.hard_link_target.empty()) {
            RelPath const target = OBLEA_TRY(RelPath::parse(entry.hard_link_target));
            RelPath const placed = OBLEA_TRY(plan.place_unpacked(archive->folder, target));
            store::TarMemberHeader link = header_of(path, node);
            link.link = store::TarMemberHeader::Link::hard;
            link.link_target = placed.string();
            link.size = 0;
            link.xattrs.clear();
            pending += OBLEA_TRY(store::encode_tar_header(link));
            return {};
        }
        if (entry.type == FileType::directory) {
            told.insert_or_assign(path, node);
        }
        if (entry.type == FileType::regular && node.attr.size > 0) {
            contents = std::make_unique<store::ArchiveEntrySource>(archive->reader);
            file = OpenFile{contents.get(), path.string(), node.attr.size, node.attr.size};
        }
        return header(path, node);
    }

    Result<std::size_t> read_file(MutableBytes buffer) {
        if (file->left == 0) {
            pending.assign(store::tar_padding(file->bytes), '\0');
            taken = 0;
            file.reset();
            contents.reset();
            return std::size_t{0};
        }
        auto const room =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file->left));
        std::size_t const count = OBLEA_TRY(file->source->read(buffer.first(room)));
        if (count == 0) {
            return fail(Errno::eio, "", file->path + " became shorter while it was read");
        }
        file->left -= count;
        return count;
    }
};

LayerStream::LayerStream(CopyPlan& plan, std::vector<UnpackedArchive> archives,
                         std::optional<std::int64_t> latest)
    : impl_(std::make_unique<Impl>(plan, std::move(archives), latest)) {}

LayerStream::~LayerStream() = default;

Result<std::size_t> LayerStream::read(MutableBytes buffer) {
    Impl& impl = *impl_;
    for (;;) {
        if (impl.taken < impl.pending.size()) {
            std::size_t const count = std::min(buffer.size(), impl.pending.size() - impl.taken);
            auto const bytes = base::bytes_of(std::string_view{impl.pending});
            std::ranges::copy(bytes.subspan(impl.taken, count), buffer.begin());
            impl.taken += count;
            return count;
        }
        if (impl.file.has_value()) {
            std::size_t const count = OBLEA_TRY(impl.read_file(buffer));
            if (count > 0) {
                return count;
            }
            continue;
        }
        if (impl.ended) {
            return std::size_t{0};
        }
        OBLEA_TRY(impl.advance());
    }
}

namespace {

// The buffer is the caller's: for a small file it would cost more than its contents.
Result<store::Digest> read_digest(SourceTree const& tree, RelPath const& path,
                                  MutableBytes buffer) {
    auto const source = OBLEA_TRY(tree.open(path));
    base::Sha256 hash;
    for (;;) {
        std::size_t const count = OBLEA_TRY(source->read(buffer));
        if (count == 0) {
            return hash.finish();
        }
        hash.update(base::ByteView{buffer}.first(count));
    }
}

std::string described(RelPath const& path, SourceNode const& node) {
    std::string text =
        fmt::format("{}\n{} {:o} {} {} {} {} {}\n", path.string(),
                    static_cast<unsigned>(node.attr.type), node.attr.permissions, node.attr.uid,
                    node.attr.gid, node.attr.type == FileType::regular ? node.attr.size : 0,
                    node.attr.device.major, node.attr.device.minor);
    text += fmt::format("{}\n", node.link_target);
    for (auto const& [name, value] : node.xattrs) {
        text += fmt::format("{} {}:{}\n", name, value.size(), value);
    }
    return text;
}

}  // namespace

Result<store::Digest> digest_of_file(SourceTree const& tree, RelPath const& path) {
    base::Bytes buffer(base::kBufferBytes);
    return read_digest(tree, path, buffer);
}

Result<store::Digest> digest_of(CopyMembers const& members) {
    std::vector<std::pair<RelPath const*, CopyMember const*>> files;
    for (auto const& [path, member] : members) {
        if (member.from == CopyMember::From::source) {
            files.emplace_back(&path, &member);
        }
    }
    std::vector<store::Digest> digests(files.size());
    std::mutex mutex;
    std::optional<Error> failure;
    auto const read_one = [&](std::size_t i, MutableBytes buffer) {
        CopyMember const& member = *files[i].second;
        if (member.node.attr.type != FileType::regular) {
            return;
        }
        auto digest = read_digest(*member.tree, member.source, buffer);
        if (digest.has_value()) {
            digests[i] = *digest;
            return;
        }
        std::lock_guard const guard{mutex};
        failure = std::move(digest).error();
    };
    std::atomic<std::size_t> next{0};
    {
        std::vector<std::jthread> threads;
        std::size_t const count =
            std::min<std::size_t>(std::max(1U, std::thread::hardware_concurrency()), files.size());
        for (std::size_t t = 0; t < count; ++t) {
            threads.emplace_back([&] {
                base::Bytes buffer(base::kBufferBytes);
                for (std::size_t i = next++; i < files.size(); i = next++) {
                    read_one(i, buffer);
                }
            });
        }
    }
    if (failure.has_value()) {
        return std::unexpected<Error>(*std::move(failure));
    }
    base::Sha256 hash;
    for (std::size_t i = 0; i < files.size(); ++i) {
        std::string const text = described(*files[i].first, files[i].second->node);
        hash.update(base::bytes_of(std::string_view{text}));
        hash.update(digests[i].value);
    }
    return hash.finish();
}

}  // namespace oblea::tools::build
