// SPDX-License-Identifier: MIT
// What an import cannot do without: the same layers decompressed and hashed, each by itself, in one
// thread and in memory. bench/README.md compares an import with the slower of the two.
//
//   build/release/bin/import_bounds BLOB...
#include "store/base/byte_source.h"
#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/layer/decompress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

using namespace oblea;
using namespace oblea::store;

namespace {

constexpr std::size_t kBlobBytesMax = std::size_t{4} << 30U;
constexpr int kRuns = 3;

class WholeBlob final : public base::ChunkSource {
public:
    explicit WholeBlob(base::ByteView bytes) : rest_(bytes) {}
    Result<base::ByteView> next() override { return std::exchange(rest_, {}); }

private:
    base::ByteView rest_;
};

struct Bounds {
    double decompress = 0;  // seconds of the processor
    double hash_blobs = 0;
    double hash_tars = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t tar_bytes = 0;
};

template <typename Work>
double seconds_of(Work const& work) {
    std::clock_t const begin = std::clock();
    work();
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

Status decompress(base::ByteView blob, base::Sha256* hash, std::uint64_t& bytes) {
    WholeBlob source{blob};
    auto const tar = make_decompressor(detect_compression(blob), source);
    base::Bytes buffer(base::kBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(tar->read(buffer));
        if (count == 0) {
            return {};
        }
        bytes += count;
        if (hash != nullptr) {
            hash->update(base::ByteView{buffer}.first(count));
        }
    }
}

Status add(std::string const& path, Bounds& bounds) {
    std::string const text = OBLEA_TRY(base::sys::read_file(AT_FDCWD, path.c_str(), kBlobBytesMax));
    base::ByteView const blob = base::bytes_of(text);
    Status status;
    std::uint64_t tar_bytes = 0;
    double const alone = seconds_of([&] { status = decompress(blob, nullptr, tar_bytes); });
    OBLEA_TRY(status);
    base::Sha256 hash;
    std::uint64_t again = 0;
    double const both = seconds_of([&] { status = decompress(blob, &hash, again); });
    OBLEA_TRY(status);
    bounds.decompress += alone;
    bounds.hash_tars += both - alone;
    bounds.hash_blobs += seconds_of([&] { static_cast<void>(base::sha256(blob)); });
    bounds.blob_bytes += blob.size();
    bounds.tar_bytes += tar_bytes;
    return {};
}

Status show(std::vector<std::string> const& blobs) {
    for (int run = 0; run < kRuns; ++run) {
        Bounds bounds;
        for (std::string const& blob : blobs) {
            OBLEA_TRY(add(blob, bounds));
        }
        fmt::print("{} MB to {} MB: decompress {:.2f} s; SHA-256 {:.2f} s of layers as they come, "
                   "{:.2f} s of their tars\n",
                   bounds.blob_bytes / 1'000'000, bounds.tar_bytes / 1'000'000, bounds.decompress,
                   bounds.hash_blobs, bounds.hash_tars);
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr, "import_bounds BLOB...\n");
        return EXIT_FAILURE;
    }
    auto const shown = show({argv + 1, argv + argc});
    if (!shown.has_value()) {
        fmt::print(stderr, "import_bounds: {}\n", shown.error().message());
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
