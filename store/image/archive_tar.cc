// SPDX-License-Identifier: MIT
#include "store/image/archive_tar.h"

#include "store/image/tar_encode.h"

#include <algorithm>

namespace oblea::store {

namespace {

Result<std::string> encode_hard_link(std::string const& path, std::string const& target) {
    TarMemberHeader header;
    header.path = path;
    header.link = TarMemberHeader::Link::hard;
    header.link_target = target;
    return encode_tar_header(header);
}

Result<std::string> tar_path(std::string const& text) {
    auto const path = RelPath::parse(text);
    if (!path.has_value()) {
        return fail(Errno::einval, "", "member \"" + text + "\": " + path.error().detail);
    }
    return path->is_root() ? "." : path->string();
}

}  // namespace

Status ArchiveTar::advance() {
    pending_ = std::exchange(after_content_, {});
    taken_ = 0;
    if (!pending_.empty()) {
        return {};
    }
    auto const entry = OBLEA_TRY(archive_.next());
    if (!entry.has_value()) {
        pending_ = tar_end();
        state_ = State::ended;
        return {};
    }
    return add(*entry);
}

Status ArchiveTar::add(ArchiveEntry const& entry) {
    TarMemberHeader header;
    header.path = OBLEA_TRY(tar_path(entry.path));
    bool const is_link = !entry.hard_link_target.empty();
    bool const has_content = entry.type == FileType::regular && entry.size.value_or(0) > 0;
    std::string const first = is_link ? OBLEA_TRY(tar_path(entry.hard_link_target)) : header.path;
    if (is_link && !has_content) {
        names_of_[first].push_back(header.path);
        pending_ = OBLEA_TRY(encode_hard_link(header.path, first));
        return {};
    }
    if (is_link) {
        std::vector<std::string>& names = names_of_[first];
        names.push_back(first);
        for (std::string const& name : names) {
            after_content_ += OBLEA_TRY(encode_hard_link(name, header.path));
        }
        names.assign(1, header.path);
    }
    if (entry.type == FileType::socket) {
        return {};
    }
    if (entry.type == FileType::regular && !entry.size.has_value()) {
        return fail(Errno::eopnotsupp, "",
                    entry.path + ": the archive does not tell its size beforehand; import it from "
                                 "a file instead of a pipe");
    }
    header.type = entry.type;
    header.permissions = entry.permissions;
    header.uid = entry.uid;
    header.gid = entry.gid;
    header.mtime = entry.mtime;
    header.device = entry.device;
    header.xattrs = entry.xattrs;
    header.link_target = entry.symlink_target;
    header.size = entry.type == FileType::regular ? entry.size.value_or(0) : 0;
    pending_ = OBLEA_TRY(encode_tar_header(header));
    content_left_ = header.size;
    padding_ = tar_padding(header.size);
    return {};
}

Result<std::size_t> ArchiveTar::read_content(base::MutableBytes buffer) {
    auto const room =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), content_left_));
    std::size_t const count = OBLEA_TRY(archive_.read(buffer.first(room)));
    if (count == 0) {
        return fail(Errno::einval, "",
                    "damaged archive: a member ends " + std::to_string(content_left_) +
                        " bytes early");
    }
    content_left_ -= count;
    if (content_left_ == 0) {
        pending_.assign(padding_, '\0');
        taken_ = 0;
    }
    return count;
}

Result<std::size_t> ArchiveTar::read(base::MutableBytes buffer) {
    for (;;) {
        if (taken_ < pending_.size()) {
            auto const rest = base::bytes_of(std::string_view{pending_}.substr(taken_));
            std::size_t const count = std::min(rest.size(), buffer.size());
            std::ranges::copy(rest.first(count), buffer.begin());
            taken_ += count;
            return count;
        }
        if (content_left_ > 0) {
            return read_content(buffer);
        }
        if (state_ == State::ended) {
            return std::size_t{0};
        }
        OBLEA_TRY(advance());
    }
}

}  // namespace oblea::store
