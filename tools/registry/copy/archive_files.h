// SPDX-License-Identifier: MIT
// The files of a layout or an archive that is copied from, and the room for what is made on the
// way.
#pragma once
#include "store/base/unique_fd.h"
#include "store/image/image_files.h"

#include <memory>
#include <string>

namespace oblea::registry {

struct OpenedFiles {
    base::UniqueFd file;  // of an archive; `files` borrows it
    std::unique_ptr<store::SeekableFiles> files;
};

// A folder. Errors: ENOTDIR, ENOENT.
Result<OpenedFiles> open_layout_folder(std::string const& path);
// A tar; one that is compressed is decompressed to a file without a name. Errors: EISDIR, ENOENT,
// EINVAL for what is no archive.
Result<OpenedFiles> open_archive_file(std::string const& path);

// A file without a name in TMPDIR, or else in /var/tmp, as it may become large.
Result<base::UniqueFd> open_unnamed_file();

}  // namespace oblea::registry
