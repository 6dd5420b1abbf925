// SPDX-License-Identifier: MIT
// What a verification finds while things are looked at side by side, and how far it is.
#pragma once
#include "store/base/mutex.h"
#include "store/verify.h"

namespace oblea::store {

// Thread-safe, but for the last three.
class Findings {
public:
    // All of it must live as long. `progress` may be empty.
    Findings(VerifyOptions const& options,
             std::function<void(VerifyProgress const&)> const& progress, std::uint64_t total_bytes)
        : options_(options), progress_(progress), total_bytes_(total_bytes) {}

    void add(Fault::Kind kind, Fault::State state, std::string path, std::string what,
             std::optional<Digest> const& digest);

    // Counts what was read. Errors: ECANCELED when somebody wants an end.
    Status read(std::uint64_t bytes);

    // Whether contents are to be read at all.
    [[nodiscard]] bool contents() const { return options_.depth == VerifyOptions::Depth::contents; }
    std::vector<Fault> take_faults() {
        base::LockGuard const lock{mutex_};
        return std::move(faults_);
    }
    [[nodiscard]] std::uint64_t bytes() const {
        base::LockGuard const lock{mutex_};
        return bytes_;
    }

private:
    VerifyOptions const& options_;
    std::function<void(VerifyProgress const&)> const& progress_;
    std::uint64_t total_bytes_;
    mutable base::Mutex mutex_;
    std::vector<Fault> faults_ OBLEA_GUARDED_BY(mutex_);
    std::uint64_t bytes_ OBLEA_GUARDED_BY(mutex_) = 0;
    std::uint64_t told_ OBLEA_GUARDED_BY(mutex_) = 0;
};

}  // namespace oblea::store
