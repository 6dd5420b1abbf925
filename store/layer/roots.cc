// SPDX-License-Identifier: MIT
#include "store/layer/roots.h"

#include "store/base/absence.h"
#include "store/base/sys.h"

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

// Nothing for what is absent.
template <typename T>
Result<std::optional<T>> unless_absent(Result<T> result, std::string const& path) {
    if (result.has_value()) {
        return std::optional{*std::move(result)};
    }
    if (base::is_absent(result.error().code)) {
        return std::optional<T>{};
    }
    return std::unexpected<Error>(with_context(std::move(result).error(), path));
}

Result<std::optional<UniqueFd>> open_at(int root, std::string const& path) {
    return unless_absent(sys::openat(root, path.c_str(), O_RDONLY | O_NOFOLLOW), path);
}

}  // namespace

Result<std::optional<Roots::Part>> Roots::open_if_exists(std::string const& path) const {
    if (auto file = OBLEA_TRY(open_at(own_, path)); file.has_value()) {
        return std::optional{Part{.file = *std::move(file), .of = Part::Of::own}};
    }
    for (Shared const& store : shared_) {
        auto opened = with_context(open_at(store.fd, path), [&] { return store.path; });
        auto file = OBLEA_TRY(std::move(opened));
        if (file.has_value()) {
            return std::optional{Part{.file = *std::move(file), .of = Part::Of::shared}};
        }
    }
    return std::optional<Part>{};
}

Result<std::optional<std::string>> Roots::read_file_if_exists(std::string const& path,
                                                              std::size_t limit_bytes) const {
    auto text = OBLEA_TRY(unless_absent(sys::read_file(own_, path.c_str(), limit_bytes), path));
    for (auto store = shared_.begin(); !text.has_value() && store != shared_.end(); ++store) {
        auto read = unless_absent(sys::read_file(store->fd, path.c_str(), limit_bytes), path);
        text = OBLEA_TRY(with_context(std::move(read), [&] { return store->path; }));
    }
    return text;
}

Result<std::optional<struct stat>> Roots::stat_if_exists(std::string const& path) const {
    auto const own = OBLEA_TRY(sys::stat_if_exists(own_, path.c_str()));
    if (own.has_value()) {
        return own;
    }
    for (Shared const& store : shared_) {
        auto looked =
            with_context(sys::stat_if_exists(store.fd, path.c_str()), [&] { return store.path; });
        auto const there = OBLEA_TRY(std::move(looked));
        if (there.has_value()) {
            return there;
        }
    }
    return std::optional<struct stat>{};
}

std::string Roots::names() const {
    std::string names = "the store";
    for (Shared const& store : shared_) {
        names += " and from " + store.path;
    }
    return names;
}

}  // namespace oblea::store
