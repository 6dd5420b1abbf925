// SPDX-License-Identifier: MIT
#include "store/base/absence.h"
#include "store/base/mutex.h"
#include "store/base/sys.h"
#include "store/index/file_mode.h"
#include "tools/build/context/context_files.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/sysmacros.h>

#include <algorithm>

namespace oblea::tools::build {

namespace {

namespace sys = base::sys;
using base::UniqueFd;
using store::FileType;
using store::RelPath;

bool means_absent(Errno code) {
    // ELOOP: a link in the middle.
    return base::is_absent(code) || code == Errno::eloop;
}

class FolderFiles final : public ContextFiles {
public:
    explicit FolderFiles(UniqueFd root) : root_(std::move(root)) {}

    [[nodiscard]] Result<std::optional<SourceNode>> look(RelPath const& path) const override {
        if (path.is_root()) {
            return std::optional{node_of(OBLEA_TRY(sys::fstat(root_.get())))};
        }
        auto const parent = open_folder(path.parent());
        if (!parent.has_value()) {
            return means_absent(parent.error().code)
                       ? Result<std::optional<SourceNode>>{std::nullopt}
                       : Result<std::optional<SourceNode>>{std::unexpected{parent.error()}};
        }
        std::string const name{path.filename()};
        auto const info = OBLEA_TRY(sys::stat_if_exists((*parent)->get(), name.c_str()));
        if (!info.has_value() || S_ISSOCK(info->st_mode)) {
            return std::nullopt;
        }
        SourceNode node = node_of(*info);
        if (node.attr.type == FileType::symlink) {
            node.link_target = OBLEA_TRY(sys::readlinkat((*parent)->get(), name.c_str()));
            node.attr.size = node.link_target.size();
        }
        return std::optional{std::move(node)};
    }

    [[nodiscard]] Result<std::vector<std::string>> list(RelPath const& folder) const override {
        auto const opened =
            OBLEA_TRY(with_context(sys::openat2(root_.get(), folder.c_str(), O_RDONLY | O_DIRECTORY,
                                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
                                   [&] { return base::printable(folder.string()); }));
        std::vector<std::string> names;
        for (sys::DirEntry& entry : OBLEA_TRY(sys::list_dir(opened.get()))) {
            if (entry.type != DT_SOCK) {
                names.push_back(std::move(entry.name));
            }
        }
        std::ranges::sort(names);
        return names;
    }

    [[nodiscard]] Result<std::unique_ptr<base::ByteSource>>
    open(RelPath const& file) const override {
        auto context = [&] { return base::printable(file.string()); };
        // Not blocking: it may have become a fifo.
        UniqueFd opened = OBLEA_TRY(
            with_context(sys::openat2(root_.get(), file.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW,
                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
                         context));
        if (!S_ISREG(OBLEA_TRY(sys::fstat(opened.get())).st_mode)) {
            return fail(Errno::einval, "", context() + " is no regular file");
        }
        return std::unique_ptr<base::ByteSource>{
            std::make_unique<base::FdSource>(std::move(opened))};
    }

private:
    static SourceNode node_of(struct stat const& info) {
        SourceNode node;
        node.attr.type = store::type_of_mode(info.st_mode);
        node.attr.permissions = info.st_mode & 07777U;
        node.attr.mtime = {info.st_mtim.tv_sec, static_cast<std::uint32_t>(info.st_mtim.tv_nsec)};
        if (node.attr.type == FileType::regular) {
            node.attr.size = static_cast<std::uint64_t>(info.st_size);
        }
        if (node.attr.type == FileType::char_device || node.attr.type == FileType::block_device) {
            node.attr.device = {major(info.st_rdev), minor(info.st_rdev)};
        }
        if (node.attr.type != FileType::directory && info.st_nlink > 1) {
            node.link_id = info.st_ino;
        }
        return node;
    }

    using SharedFd = std::shared_ptr<UniqueFd const>;

    // Whoever looks at one file of a folder mostly looks at the next one too, so the last folder
    // stays open.
    [[nodiscard]] Result<SharedFd> open_folder(RelPath const& folder) const {
        {
            base::LockGuard const lock{last_.mutex};
            if (last_.opened != nullptr && last_.folder == folder) {
                return last_.opened;
            }
        }
        auto opened = std::make_shared<UniqueFd const>(
            OBLEA_TRY(sys::openat2(root_.get(), folder.c_str(), O_PATH | O_DIRECTORY,
                                   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)));
        base::LockGuard const lock{last_.mutex};
        last_.folder = folder;
        last_.opened = opened;
        return SharedFd{std::move(opened)};
    }

    struct Last {
        base::Mutex mutex;
        RelPath folder OBLEA_GUARDED_BY(mutex);
        SharedFd opened OBLEA_GUARDED_BY(mutex);
    };

    UniqueFd root_;
    mutable Last last_;
};

}  // namespace

std::unique_ptr<ContextFiles> folder_files(UniqueFd folder) {
    return std::make_unique<FolderFiles>(std::move(folder));
}

}  // namespace oblea::tools::build
