// SPDX-License-Identifier: MIT
// A layer's tar on its way to a file, from where the file stands. Its digest is export_layer's
// care.
#pragma once
#include "store/base/sys.h"
#include "store/layer/import_layer.h"

namespace oblea::store {

class FileSink final : public TarSink {
public:
    // Borrowed.
    explicit FileSink(int fd) : fd_(fd) {}
    Status write(base::ByteView data) override { return base::sys::write_all(fd_, data); }

private:
    int fd_;
};

}  // namespace oblea::store
