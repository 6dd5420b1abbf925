// SPDX-License-Identifier: MIT
// Any bytes as a layer that is imported: refused with nothing left behind, or stored such that it
// gives its tar back.
//
//   TMPDIR=/dev/shm build/fuzz/bin/layer_fuzz -max_len=20000 CORPUS
#include "store/base/sys.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "tests/support/temp_dir.h"

#include <cstdlib>

using namespace oblea;
using namespace oblea::store;

namespace {

namespace sys = base::sys;

class NullSink final : public TarSink {
public:
    Status write(base::ByteView) override { return {}; }
};

void expect(bool right) {
    if (!right) {
        std::abort();
    }
}

class Folder {
public:
    Folder() {
        for (char const* const name : {"layers", "objects", "tmp", "blobs/sha256"}) {
            expect(sys::mkdir_all(dir_ / name, 0700).has_value());
        }
        root_ = sys::open(dir_.path(), O_RDONLY | O_DIRECTORY).value();
    }
    [[nodiscard]] int root() const { return root_.get(); }
    [[nodiscard]] bool is_empty(char const* name) const {
        auto const folder = sys::openat(root(), name, O_RDONLY | O_DIRECTORY).value();
        return sys::list_dir(folder.get()).value().empty();
    }
    void clear(char const* name) const {
        expect(sys::remove_tree(root(), name).has_value());
        expect(sys::mkdirat(root(), name, 0700).has_value());
    }

private:
    test::TempDir dir_;
    base::UniqueFd root_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size) {
    static Folder const folder;
    ::setenv("OBLEA_THREADS", "1", 1);
    base::MemorySource stream{std::as_bytes(std::span{data, size})};
    LayerImportOptions options;
    options.keep_blob = LayerImportOptions::KeepBlob::no;
    options.object_threshold_bytes = 100;  // both kinds of contents, from small inputs
    options.limits.layer_bytes = 8U << 20U;
    options.limits.file_bytes = 1U << 30U;
    auto const layer = import_layer(folder.root(), stream, {}, options);
    if (layer.has_value()) {
        NullSink sink;
        expect(has_layer(folder.root(), layer->diff_id).value());
        expect(export_layer(folder.root(), layer->diff_id, sink).has_value());
        folder.clear("layers");
        folder.clear("objects");
    }
    expect(folder.is_empty("layers") && folder.is_empty("tmp"));
    return 0;
}
