// SPDX-License-Identifier: MIT
// The files of an image, wherever they are: in the folder of a layout, in a tar that can seek, or
// passing by in a stream.
//
// Names are RelPaths as texts ("blobs/sha256/<hex>", "<id>/layer.tar"). Links between members are
// followed; one that leads out of the archive is an error. Const methods are safe from any thread.
#pragma once
#include "store/base/byte_source.h"
#include "store/base/unique_fd.h"
#include "store/index/types.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oblea::store {

struct ArchiveEntry;

class ImageFiles {
public:
    ImageFiles() = default;
    ImageFiles(ImageFiles const&) = delete;
    ImageFiles& operator=(ImageFiles const&) = delete;
    virtual ~ImageFiles() = default;

    // A small file as a whole; nullopt when there is none of this name. Errors: E2BIG.
    [[nodiscard]] virtual Result<std::optional<std::string>>
    read(std::string const& name, std::size_t limit_bytes) const = 0;

    // The name of the file that `name` leads to in the end; nullopt when there is none.
    [[nodiscard]] virtual Result<std::optional<std::string>>
    resolve(std::string const& name) const = 0;
};

// Those whose layers can be read in any order, side by side.
class SeekableFiles : public ImageFiles {
public:
    struct File {
        std::unique_ptr<base::ByteSource> source;
        std::uint64_t bytes = 0;
        std::string stream_file = {};  // as in LayerImportOptions
    };
    // Errors: ENOENT.
    [[nodiscard]] virtual Result<File> open(std::string const& resolved_name) const = 0;

    [[nodiscard]] Result<std::optional<std::string>> read(std::string const& name,
                                                          std::size_t limit_bytes) const override;
};

// Names of members and the links between them.
class MemberLinks {
public:
    // Takes what the entry says of links, and gives its name; the last member of a name wins.
    // Errors: EINVAL for a name or a link that leads out.
    Result<std::string> take(ArchiveEntry const& entry);

    // Follows links until a name that is none. Errors: ELOOP.
    [[nodiscard]] Result<std::string> follow(std::string name) const;

private:
    std::map<std::string, std::string> targets_;
};

// An unpacked layout or archive. Links are followed as long as they stay inside.
Result<std::unique_ptr<SeekableFiles>> open_folder_files(std::string const& path);

// An uncompressed tar; only its headers are read. The descriptor is borrowed. Errors: EINVAL for a
// damaged or truncated tar.
Result<std::unique_ptr<SeekableFiles>> open_tar_files(int fd);

}  // namespace oblea::store
