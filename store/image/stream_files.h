// SPDX-License-Identifier: MIT
// The files of an archive that passes by once: small documents are kept in memory, everything that
// is a tar, gzip or zstd stream goes to a sink as a layer, whether an image turns out to want it or
// not.
#pragma once
#include "store/image/archive_reader.h"
#include "store/image/image_files.h"

#include <functional>
#include <set>

namespace oblea::store {

class StreamFiles final : public ImageFiles {
public:
    // The sink need not read to the end. Its errors end the scan.
    using LayerSink = std::function<Status(std::string const& member, base::ByteSource& content,
                                           std::uint64_t bytes)>;
    // Errors: EINVAL for a damaged archive; E2BIG past limits.
    Status scan(ArchiveReader& archive, LayerSink const& sink);

    [[nodiscard]] Result<std::optional<std::string>> read(std::string const& name,
                                                          std::size_t limit_bytes) const override;
    [[nodiscard]] Result<std::optional<std::string>>
    resolve(std::string const& name) const override;

private:
    Status take(ArchiveReader& archive, ArchiveEntry const& entry, LayerSink const& sink);
    Status take_file(ArchiveReader& archive, std::string const& name, std::uint64_t bytes,
                     LayerSink const& sink);

    std::set<std::string> members_;
    std::map<std::string, std::string> documents_;
    std::size_t documents_bytes_ = 0;
    MemberLinks links_;
};

}  // namespace oblea::store
