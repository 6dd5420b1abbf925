// SPDX-License-Identifier: MIT
// Any bytes as an archive from outside: an image's container, a root file system, a compressed
// stream.
#include "store/image/archive_reader.h"

using namespace oblea;
using namespace oblea::store;

namespace {

constexpr std::size_t kContentBytesMax = 1U << 20U;  // a bomb would only cost time here
constexpr std::size_t kEntriesMax = 1000;

void read_all(base::ByteView bytes, ArchiveReader::Format format) {
    base::MemorySource source{bytes};
    auto archive = ArchiveReader::open(source, format);
    base::Bytes buffer(4096);
    std::size_t content = 0;
    for (std::size_t entries = 0; archive.has_value() && entries < kEntriesMax; ++entries) {
        auto const entry = archive->next();
        if (!entry.has_value() || !entry->has_value()) {
            return;
        }
        // Every other one is skipped.
        for (bool more = entries % 2 == 0; more && content < kContentBytesMax;) {
            auto const count = archive->read(buffer);
            more = count.has_value() && *count > 0;
            content += more ? *count : 0;
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    base::ByteView const bytes = std::as_bytes(std::span{data, size});
    read_all(bytes, ArchiveReader::Format::tar);
    read_all(bytes, ArchiveReader::Format::tree);
    read_all(bytes, ArchiveReader::Format::raw);
    return 0;
}
