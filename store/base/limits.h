// SPDX-License-Identifier: MIT
// Every bound that untrusted input is held to, in one place. Going past one is an error that names
// the limit.
#pragma once
#include <cstddef>
#include <cstdint>

namespace oblea::limits {

inline constexpr std::size_t kNameBytesMax = 255;           // NAME_MAX
inline constexpr std::size_t kPathBytesMax = 65536;         // a path inside an image
inline constexpr std::size_t kPathDepthMax = 4096;          // components of a path inside an image
inline constexpr std::size_t kSymlinkBytesMax = 4095;       // PATH_MAX - 1
inline constexpr std::size_t kXattrNameBytesMax = 255;      // XATTR_NAME_MAX
inline constexpr std::size_t kXattrValueBytesMax = 65536;   // XATTR_SIZE_MAX
inline constexpr std::uint64_t kXattrBytesMax = 1U << 20U;  // of one inode, names and values
inline constexpr std::size_t kXattrListBytesMax = 65536;  // XATTR_LIST_MAX, all names of one inode

inline constexpr std::uint64_t kLayerEntriesMax = 50'000'000;
inline constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 62U;
inline constexpr std::size_t kTarHeaderBytesMax = 16U << 20U;  // one pax or GNU extension record
inline constexpr int kZstdWindowLogMax = 27;  // 128 MiB: what zstd itself takes without --long
inline constexpr std::size_t kPackFrameBytesMax = 1U << 20U;  // what a frame of a pack holds
inline constexpr std::size_t kPackFramesMax = 1U << 22U;
inline constexpr std::size_t kSparseExtentsMax = 1U << 20U;  // of one file

inline constexpr std::size_t kManifestBytesMax = 4U
                                                 << 20U;  // distribution-spec "Pushing Manifests"
inline constexpr std::size_t kConfigBytesMax = 8U << 20U;
inline constexpr std::size_t kIndexDepthMax = 4;  // nested image indexes
inline constexpr std::size_t kLayersMax = 1000;   // of one image
inline constexpr std::size_t kImagesFileBytesMax = 256U << 20U;
inline constexpr std::size_t kContainerFileBytesMax = 4U << 20U;  // container.json
inline constexpr std::size_t kArchiveMembersMax = 1'000'000;      // of an image's archive

inline constexpr std::size_t kHttpHeaderBytesMax = 256U << 10U;  // all fields of one answer
inline constexpr std::size_t kHttpErrorBytesMax = 64U << 10U;    // the body of an error
inline constexpr std::size_t kTokenAnswerBytesMax = 1U << 20U;   // of a token server
inline constexpr std::size_t kTagsPageBytesMax = 16U << 20U;
inline constexpr std::size_t kTagsMax = 1'000'000;  // of one repository

inline constexpr std::size_t kDockerfileBytesMax = 16U << 20U;
inline constexpr std::size_t kExpandedBytesMax = 4U
                                                 << 20U;  // a word when its variables are replaced
inline constexpr std::size_t kSubstitutionDepthMax = 64;  // ${A:-${B:-...}}
inline constexpr std::size_t kIgnoreFileBytesMax = 4U << 20U;
inline constexpr std::uint64_t kContextEntriesMax = kLayerEntriesMax;

inline constexpr std::size_t kIdFileBytesMax = 16U << 20U;  // passwd, group, subuid, uid_map

}  // namespace oblea::limits
