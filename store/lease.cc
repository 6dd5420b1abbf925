// SPDX-License-Identifier: MIT
// Leases. FORMAT.md "Leases".
#include "store/base/limits.h"
#include "store/base/scope_exit.h"
#include "store/base/sys.h"
#include "store/image/json_fields.h"
#include "store/layer/layout.h"
#include "store/lease_files.h"
#include "store/publish.h"
#include "store/store.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <atomic>

namespace oblea::store {

namespace sys = base::sys;
using base::UniqueFd;
using nlohmann::json;

namespace {

std::string description_of(std::string const& lease) {
    return lease + std::string{lease_files::kDescription};
}

std::string snapshot_of(std::string const& lease) {
    return lease + std::string{lease_files::kSnapshot};
}

// The list of images as it is now, kept under the lease's name: what was reachable stays known.
// images.json is only ever replaced, so that a second name of it is a copy that costs nothing.
Status keep_snapshot(int root, std::string const& lease) {
    std::string const snapshot = snapshot_of(lease);
    auto linked = sys::linkat(root, layout::kImages, root, snapshot.c_str());
    if (linked.has_value()) {
        return {};
    }
    std::string const text =
        OBLEA_TRY(sys::read_file(root, layout::kImages, limits::kImagesFileBytesMax));
    return sys::replace_file(root, snapshot.c_str(), text, layout::kFileMode, sys::Sync::no);
}

// A description is for people: on a full disk things can be looked at and removed without it.
Status unless_full(Status written) {
    bool const full = !written.has_value() && (written.error().code == Errno::enospc ||
                                               written.error().code == Errno::edquot);
    return full ? Status{} : written;
}

Result<std::pair<UniqueFd, std::string>> create_file(int root) {
    static std::atomic<unsigned> counter{0};
    for (;;) {
        std::string path =
            fmt::format("{}/{}.{}", layout::kLeases, ::getpid(), counter.fetch_add(1));
        auto file = sys::openat(root, path.c_str(), O_RDWR | O_CREAT | O_EXCL, layout::kFileMode);
        if (file.has_value()) {
            return std::pair{*std::move(file), std::move(path)};
        }
        // A dead process with the same number may have left one.
        if (file.error().code != Errno::eexist) {
            return std::unexpected<Error>(with_context(std::move(file).error(), path));
        }
    }
}

}  // namespace

std::string lease_files::lease_of(std::string const& path) {
    auto const first = path.find('.');
    auto const second = first == std::string::npos ? first : path.find('.', first + 1);
    return path.substr(0, second);
}

void lease_files::remove(int root, std::string const& lease) {
    // The file that is locked goes last: until then what is left is recognised as this lease's.
    static_cast<void>(sys::unlink_if_exists(root, snapshot_of(lease).c_str()));
    static_cast<void>(sys::unlink_if_exists(root, description_of(lease).c_str()));
    static_cast<void>(sys::unlink_if_exists(root, lease.c_str()));
}

Result<lease_files::Held> lease_files::read(int root, std::string const& lease) {
    Held held;
    std::string const description = description_of(lease);
    auto const text = sys::read_file(root, description.c_str(), kDescriptionBytesMax);
    if (text.has_value()) {
        json const document =
            OBLEA_TRY(json_fields::parse_object(*text, description, kDescriptionBytesMax));
        if (json const* layers =
                OBLEA_TRY(json_fields::array_if(document, "layers", description))) {
            held.layers.emplace();
            for (json const& layer : *layers) {
                std::string const digest = layer.is_string() ? layer.get<std::string>() : "";
                held.layers->push_back(OBLEA_TRY(Digest::parse(digest)));
            }
            return held;
        }
    }
    std::string const snapshot =
        OBLEA_TRY(sys::read_file(root, snapshot_of(lease).c_str(), limits::kImagesFileBytesMax));
    held.images = OBLEA_TRY(Images::parse(snapshot));
    return held;
}

Result<Lease> Store::take_lease(std::string_view purpose) const {
    // Under the lock, so that gc sees either no lease and has finished before the caller looks at
    // anything, or all of it.
    UniqueFd const lock = OBLEA_TRY(lock_store(root(), StoreLock::shared));
    Lease lease;
    lease.root_ = OBLEA_TRY(sys::openat(root(), ".", O_RDONLY | O_DIRECTORY));
    auto [file, path] = OBLEA_TRY(create_file(root()));
    OBLEA_TRY(sys::lock(file.get(), sys::LockKind::shared));
    lease.file_ = std::move(file);
    lease.path_ = std::move(path);
    lease.purpose_ = purpose;
    OBLEA_TRY(keep_snapshot(root(), lease.path_));
    OBLEA_TRY(unless_full(lease.write_description()));
    return lease;
}

Result<Lease> Store::adopt_lease(std::string path, UniqueFd file, std::string_view purpose,
                                 std::vector<Digest> layers) const {
    Lease lease;
    lease.root_ = OBLEA_TRY(sys::openat(root(), ".", O_RDONLY | O_DIRECTORY));
    lease.file_ = std::move(file);
    lease.path_ = std::move(path);
    lease.purpose_ = purpose;
    lease.layers_ = std::move(layers);
    return lease;
}

Lease::~Lease() {
    if (!file_.valid()) {
        return;
    }
    file_.reset();
    // A child may still hold it; only the last one clears away. What fails here is debris for gc.
    auto const file = sys::openat(root_.get(), path_.c_str(), O_RDWR);
    if (!file.has_value()) {
        return;
    }
    auto const alone = sys::try_lock(file->get(), sys::LockKind::exclusive);
    if (alone.has_value() && *alone) {
        lease_files::remove(root_.get(), path_);
    }
}

Status Lease::write_description() const {
    json document = {
        {"purpose", purpose_}, {"pid", ::getpid()}, {"about", json::parse(about_, nullptr, false)}};
    if (layers_.has_value()) {
        json layers = json::array();
        for (Digest const& layer : *layers_) {
            layers.push_back(layer.to_string());
        }
        document["layers"] = std::move(layers);
    }
    return sys::replace_file(root_.get(), description_of(path_).c_str(),
                             json_fields::encode(document, json_fields::Layout::compact) + '\n',
                             layout::kFileMode, sys::Sync::no);
}

Status Lease::describe(std::string_view text) {
    if (!json::accept(text)) {
        return fail(Errno::einval, "", "the description of a lease is not JSON");
    }
    about_ = text;
    return unless_full(write_description());
}

Status Lease::narrow_to(std::span<Digest const> layers) {
    layers_.emplace(layers.begin(), layers.end());
    auto written = write_description();
    if (!written.has_value()) {
        // It holds more than it needs: no harm but to the space that gc could free.
        layers_.reset();
        return unless_full(std::move(written));
    }
    return sys::unlink_if_exists(root_.get(), snapshot_of(path_).c_str());
}

}  // namespace oblea::store
