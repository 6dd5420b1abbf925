// SPDX-License-Identifier: MIT
// The files of a lease, as gc sees them. FORMAT.md "Leases".
#pragma once
#include "store/image/images.h"

#include <optional>
#include <string>
#include <vector>

namespace oblea::store::lease_files {

inline constexpr std::string_view kDescription = ".json";
inline constexpr std::string_view kSnapshot = ".images";
inline constexpr std::size_t kDescriptionBytesMax = 4U << 20U;

// What a lease protects beside what is younger than it.
struct Held {
    // Narrowed: these layers alone, and nothing for being young.
    std::optional<std::vector<Digest>> layers;
    // Else: what these images reach.
    Images images;
};

// `lease` is the path of the locked file. Errors: when the files cannot be understood; then the
// lease must be taken to hold everything.
Result<Held> read(int root, std::string const& lease);

// The locked file that a file in leases/ belongs to: "leases/<pid>.<number>".
std::string lease_of(std::string const& path);

void remove(int root, std::string const& lease);

}  // namespace oblea::store::lease_files
