// SPDX-License-Identifier: MIT
#include "tools/registry/copy/archive_files.h"

#include "store/base/buffer_bytes.h"
#include "store/base/sys.h"
#include "store/image/archive_reader.h"
#include "store/image/sniff.h"

#include <array>
#include <cstdlib>

namespace oblea::registry {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

Result<UniqueFd> decompressed(int file) {
    base::FdSource compressed{OBLEA_TRY(sys::duplicate(file))};
    auto reader =
        OBLEA_TRY(store::ArchiveReader::open(compressed, store::ArchiveReader::Format::raw));
    auto const entry = OBLEA_TRY(reader.next());
    UniqueFd plain = OBLEA_TRY(open_unnamed_file());
    base::Bytes buffer(base::kBufferBytes);
    while (entry.has_value()) {
        std::size_t const count = OBLEA_TRY(reader.read(buffer));
        if (count == 0) {
            break;
        }
        OBLEA_TRY(sys::write_all(plain.get(), base::ByteView{buffer}.first(count)));
    }
    return plain;
}

}  // namespace

Result<UniqueFd> open_unnamed_file() {
    char const* const chosen = std::getenv("TMPDIR");
    std::string const folder = chosen == nullptr || *chosen == '\0' ? "/var/tmp" : chosen;
    return with_context(sys::open(folder, O_TMPFILE | O_RDWR), [&] {
        return "a temporary file in " + folder + " (TMPDIR names another place)";
    });
}

Result<OpenedFiles> open_layout_folder(std::string const& path) {
    auto files = OBLEA_TRY(with_context(store::open_folder_files(path), [&] { return path; }));
    return OpenedFiles{.file = {}, .files = std::move(files)};
}

Result<OpenedFiles> open_archive_file(std::string const& path) {
    auto const named = [&] { return path; };
    UniqueFd file = OBLEA_TRY(with_context(sys::open(path, O_RDONLY), named));
    std::array<std::byte, 512> head{};
    std::size_t const count = OBLEA_TRY(with_context(sys::pread_full(file.get(), head, 0), named));
    if (store::is_compressed(store::sniff(base::ByteView{head}.first(count)))) {
        file = OBLEA_TRY(with_context(decompressed(file.get()), named));
    }
    auto files = OBLEA_TRY(with_context(store::open_tar_files(file.get()), named));
    return OpenedFiles{.file = std::move(file), .files = std::move(files)};
}

}  // namespace oblea::registry
