// SPDX-License-Identifier: MIT
// The records of a pax extended header, parsed into the values that matter to an image.
//
// Pure; safe from any thread. Keys that are not listed here (comment, atime, uname, ACL texts,
// SCHILY.ino, ...) are ignored, as container tools do; SCHILY.xattr.system.posix_acl_* carries
// ACLs. Spec: POSIX pax "pax Extended Header"; star(5) "SCHILY"; libarchive's LIBARCHIVE.xattr; GNU
// tar manual "Storing Sparse Files".
#pragma once
#include "store/base/error.h"
#include "store/index/types.h"
#include "store/layer/sparse.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::store {

struct PaxSparse {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::optional<std::uint64_t> real_size;  // GNU.sparse.size, GNU.sparse.realsize
    std::optional<std::string> name;
    std::vector<SparsePiece> pieces;              // 0.0 and 0.1
    std::optional<std::uint64_t> pending_offset;  // 0.0, between its two records
    bool present = false;

    // Whether the map stands in front of the data (1.0) rather than in the records.
    [[nodiscard]] bool map_in_data() const { return major == 1 && minor == 0; }
};

// What the extended headers in front of one member say of it. Records add up: later ones win.
struct PaxValues {
    std::optional<std::string> path;
    std::optional<std::string> link_path;
    std::optional<std::uint64_t> size;
    std::optional<std::int64_t> uid;
    std::optional<std::int64_t> gid;
    std::optional<Timestamp> mtime;
    std::optional<std::int64_t> device_major;
    std::optional<std::int64_t> device_minor;
    std::map<std::string, std::string> schily_xattrs;
    std::map<std::string, std::string> libarchive_xattrs;
    PaxSparse sparse;

    // Both kinds joined; where they name the same attribute, the raw value of SCHILY counts.
    // Errors: EINVAL, naming it, for a name or value past the kernel's bounds.
    [[nodiscard]] Result<Xattrs> xattrs() const;
};

// Errors: EINVAL for malformed records, numbers, negative sizes, NUL bytes in paths; E2BIG past
// limits::kSparseExtentsMax.
Status parse_pax_records(std::string_view records, PaxValues& into);

// "[-]seconds[.fraction]"; digits past the ninth are cut off. Errors: EINVAL.
Result<Timestamp> parse_pax_time(std::string_view text);

// Decimal, nothing else around it. Errors: EINVAL.
Result<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace oblea::store
