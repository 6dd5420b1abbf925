// SPDX-License-Identifier: MIT
// The layers of a stack of folders on disk: opening what lies in them, and reading their marks.
//
// Every path is resolved beneath the layer's root and without following a link. Safe from any
// thread.
#pragma once
#include "fs/fd_cache.h"
#include "fs/lower/folder_lower.h"
#include "fs/lower/folder_marks.h"
#include "fs/lower/numbering_log.h"
#include "store/base/mutex.h"

#include <sys/stat.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace oblea::fs {

// What is marked on a folder of a layer.
struct FolderMarks {
    enum class Opaque { no, yes } opaque = Opaque::no;
    enum class XattrWhiteouts { no, yes } xattr_whiteouts = XattrWhiteouts::no;
    std::optional<std::string> redirect{};
};

class FolderLayers {
public:
    // `paths` bottom first; file systems that are met are noted in `numbering`. Errors: see
    // folder_lower.
    static Result<std::unique_ptr<FolderLayers>> open(std::vector<std::string> const& paths,
                                                      FolderLowerOptions::Redirects redirects,
                                                      NumberingLog& numbering);
    // The same of roots that are open (O_PATH).
    static Result<std::unique_ptr<FolderLayers>> adopt(std::vector<base::UniqueFd> roots,
                                                       FolderLowerOptions::Redirects redirects,
                                                       NumberingLog& numbering);

    [[nodiscard]] std::uint16_t count() const { return static_cast<std::uint16_t>(roots_.size()); }
    [[nodiscard]] SharedFd const& root(std::uint16_t layer) const { return roots_[layer]; }
    // The attribute that says owner, mode and kind of the layer's files; null: stat does.
    [[nodiscard]] char const* override_xattr(std::uint16_t layer) const {
        return override_xattrs_[layer];
    }

    // A folder by its path from `base`, as O_PATH. Errors: ENOENT, ENOTDIR and ELOOP where no
    // folder is there.
    static Result<SharedFd> open_folder(SharedFd const& base, std::string const& path);

    Result<FolderMarks> marks(int folder) const;

    // What a redirect leads to in one layer.
    struct Redirected {
        SharedFd folder{};                                      // null: nothing there
        enum class Below { seen, hidden } below = Below::seen;  // for the layers below
        std::string path_below{};  // where they go on; a redirect on the way changes it
    };
    Result<Redirected> follow(std::uint16_t layer, std::string const& path) const;

    // A short number for a file system: below stable_devices() it is the same in every mount of
    // these layers.
    std::uint32_t device(dev_t number);
    [[nodiscard]] std::uint32_t stable_devices() const { return stable_devices_; }
    // Whether listings there tell the number that stat shows.
    enum class Numbers { told, to_be_asked };
    static Numbers numbers_of(int folder);

private:
    FolderLayers(FolderLowerOptions::Redirects redirects, NumberingLog& numbering)
        : redirects_(redirects), numbering_(numbering) {}

    FolderLowerOptions::Redirects redirects_;
    NumberingLog& numbering_;
    std::vector<SharedFd> roots_;
    std::vector<char const*> override_xattrs_;
    base::Mutex mutex_;
    std::vector<dev_t> devices_ OBLEA_GUARDED_BY(mutex_);
    std::uint32_t stable_devices_ = 0;
};

// Extended attributes of (folder, name), "." for the folder itself, by descriptors that are O_PATH.
Result<std::optional<std::string>> layer_xattr(int folder, std::string_view name,
                                               char const* xattr);
Result<std::vector<std::string>> layer_xattr_names(int folder, std::string_view name);

}  // namespace oblea::fs
