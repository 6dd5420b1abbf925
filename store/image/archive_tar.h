// SPDX-License-Identifier: MIT
// An archive of files in another format (cpio, zip) as the stream of a tar, entry by entry in its
// own order.
#pragma once
#include "store/image/archive_reader.h"

#include <map>
#include <string>

namespace oblea::store {

class ArchiveTar final : public base::ByteSource {
public:
    explicit ArchiveTar(ArchiveReader& archive) : archive_(archive) {}
    Result<std::size_t> read(base::MutableBytes buffer) override;

private:
    Status advance();
    Status add(ArchiveEntry const& entry);
    Result<std::size_t> read_content(base::MutableBytes buffer);

    ArchiveReader& archive_;
    std::string pending_;
    std::size_t taken_ = 0;
    std::uint64_t content_left_ = 0;
    std::size_t padding_ = 0;
    // cpio gives the contents of hard-linked files with the last of their names: the earlier ones,
    // by the name that the links tell, are then linked to that.
    std::map<std::string, std::vector<std::string>> names_of_;
    std::string after_content_;
    enum class State { running, ended } state_ = State::running;
};

}  // namespace oblea::store
