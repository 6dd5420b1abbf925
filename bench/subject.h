// SPDX-License-Identifier: MIT
// What is compared: kernel overlayfs, oblea, other unions in user space, a plain folder.
#pragma once
#include "bench/layered_tree.h"
#include "bench/workspace.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace oblea::bench {

// A tree as one subject shows it. Unmounts when it ends.
class Shown {
public:
    Shown(std::string root, std::function<Status()> hide)
        : root_(std::move(root)), hide_(std::move(hide)) {}
    Shown(Shown&& other) noexcept
        : root_(std::move(other.root_)), hide_(std::exchange(other.hide_, nullptr)) {}
    Shown& operator=(Shown&&) = delete;
    Shown(Shown const&) = delete;
    Shown& operator=(Shown const&) = delete;
    ~Shown();

    [[nodiscard]] std::string const& root() const { return root_; }
    Status hide();  // at most once

private:
    std::string root_;
    std::function<Status()> hide_;
};

// Folders of one mount; upper and work are empty.
struct Place {
    std::string root, upper, work;
};

// Whether what is shown will be changed.
enum class Use { reading, changing };

class Subject {
public:
    enum class Changes { allowed, refused };

    Subject() = default;
    Subject(Subject const&) = delete;
    Subject& operator=(Subject const&) = delete;
    virtual ~Subject() = default;

    [[nodiscard]] virtual std::string name() const = 0;
    // Whether it takes part where nobody is named.
    [[nodiscard]] virtual bool usual() const { return true; }
    [[nodiscard]] virtual Changes changes() const { return Changes::allowed; }
    // Once for each tree, before it is shown: import, packing. Not measured.
    virtual Status prepare(Workspace& /*space*/, Tree const& /*tree*/) { return {}; }
    // Shows the tree of the last prepare(), unchanged. Errors: why this cannot be done here.
    virtual Result<Shown> show(Tree const& tree, Place const& place, Use use) = 0;
    // Memory of its server that nobody shares, in bytes; 0 where there is none or it is not known.
    [[nodiscard]] virtual std::uint64_t server_bytes(Place const& /*place*/) const { return 0; }
};

// All that are known; `oblea` is its program.
[[nodiscard]] std::vector<std::unique_ptr<Subject>> all_subjects(std::string const& oblea);

// Errors: EINVAL for a name that none of them has, with those that there are.
Status check_names(std::vector<std::string> const& names);

Result<Place> fresh_place(Workspace& space);

}  // namespace oblea::bench
