// SPDX-License-Identifier: MIT
#include "tools/container/container_size.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/user_namespace.h"
#include "tools/output/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

constexpr std::uint64_t kBlockBytes = 512;

Result<std::uint64_t> bytes_below(UniqueFd top) {
    std::uint64_t bytes = 0;
    std::set<ino_t> counted;
    std::vector<UniqueFd> todo;
    todo.push_back(std::move(top));
    while (!todo.empty()) {
        UniqueFd const folder = std::move(todo.back());
        todo.pop_back();
        for (sys::DirEntry const& entry : OBLEA_TRY(sys::list_dir(folder.get()))) {
            auto const info = OBLEA_TRY(sys::stat_if_exists(folder.get(), entry.name.c_str()));
            if (!info.has_value()) {
                continue;
            }
            if (S_ISDIR(info->st_mode)) {
                auto inner = sys::openat(folder.get(), entry.name.c_str(),
                                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
                if (inner.has_value()) {
                    todo.push_back(*std::move(inner));
                } else if (inner.error().code != Errno::enoent) {
                    return std::unexpected<Error>(std::move(inner).error());
                }
                continue;
            }
            if (info->st_nlink > 1 && !counted.insert(info->st_ino).second) {
                continue;
            }
            auto const size = static_cast<std::uint64_t>(info->st_size);
            auto const stored = static_cast<std::uint64_t>(info->st_blocks) * kBlockBytes;
            bytes += S_ISREG(info->st_mode) ? std::min(size, stored) : size;
        }
    }
    return bytes;
}

Result<std::uint64_t> bytes_at(int root, std::string const& path) {
    auto top = sys::openat(root, path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!top.has_value() && top.error().code == Errno::enoent) {
        return std::uint64_t{0};  // never mounted
    }
    return bytes_below(OBLEA_TRY(std::move(top)));
}

Result<std::uint64_t> bytes_as_root_of_namespace(std::string const& path) {
    Child const child = OBLEA_TRY(start_child(Parentage::own, {}, [&](Report& report) {
        auto const entered = enter_user_namespace();
        auto const bytes = entered.has_value()
                               ? bytes_at(AT_FDCWD, path)
                               : Result<std::uint64_t>{std::unexpected<Error>(entered.error())};
        if (!bytes.has_value()) {
            report.failure(bytes.error());
            return 1;
        }
        return report.success(std::to_string(*bytes)).has_value() ? 0 : 1;
    }));
    OBLEA_TRY(wait_for_child(child.pid));
    std::uint64_t bytes = 0;
    std::from_chars(child.report.data(), child.report.data() + child.report.size(), bytes);
    return bytes;
}

}  // namespace

Result<std::uint64_t> contents_bytes(store::Store const& store, std::string const& path) {
    auto bytes = bytes_at(store.root(), path);
    if (!bytes.has_value() && bytes.error().code == Errno::eacces) {
        return bytes_as_root_of_namespace(store.path() + '/' + path);
    }
    return bytes;
}

Result<ContainerSize> container_size(store::Store const& store, Container const& container) {
    ContainerSize size;
    size.own = OBLEA_TRY(contents_bytes(store, container.folder() + "/upper"));
    auto const images = OBLEA_TRY(store.images());
    if (store::Image const* image = images.find(container.image)) {
        size.image = image->size_bytes;
    }
    return size;
}

std::string size_text(ContainerSize const& size) {
    return fmt::format("{} (virtual {})", human_size(size.own), human_size(size.own + size.image));
}

}  // namespace oblea::tools
