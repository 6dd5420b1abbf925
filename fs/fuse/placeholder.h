// SPDX-License-Identifier: MIT
// Names that the server shows though neither the image nor the upper layer has them: empty files
// and folders to mount something on.
//
// A chroot needs /proc, /etc/resolv.conf and the like as mount points, and must not write them into
// the layer. A placeholder answers LOOKUP and GETATTR only; everything else on it is EROFS, and
// readdir does not show it. As soon as the union has the name, the union's is the one that counts.
// Not for mounts that others see.
#pragma once
#include "fs/types.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oblea::fs {

struct Placeholder {
    RelPath path;
    FileType type = FileType::regular;  // or directory
};

// Immutable once filled; safe from any thread.
class Placeholders {
public:
    // Placeholders have inode numbers of their own, beyond those of the union.
    static constexpr std::uint64_t kInoFirst = std::uint64_t{1} << 62U;

    [[nodiscard]] static bool owns(Ino ino) { return std::to_underlying(ino) >= kInoFirst; }

    void add(Ino parent, std::string name, FileType type, TimePoint now);
    // What add() was told, in its order, which the numbers depend on.
    struct Added {
        Ino parent = Ino::root;
        std::string name;
        FileType type = FileType::regular;
        TimePoint time{};
    };
    [[nodiscard]] std::vector<Added> added() const;

    // nullopt: there is none of that name in that folder.
    [[nodiscard]] std::optional<Entry> find(Ino parent, std::string_view name) const;
    // ESTALE for a number that is none of ours.
    [[nodiscard]] Result<Attr> attr(Ino ino) const;

private:
    struct Node {
        Ino parent = Ino::root;
        std::string name;
        Attr attr;
    };
    std::vector<Node> nodes_;
};

}  // namespace oblea::fs
