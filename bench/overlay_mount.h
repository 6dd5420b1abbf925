// SPDX-License-Identifier: MIT
// Kernel overlayfs by fsopen(2), which takes hundreds of layers where mount(2) has one page for all
// their names.
#pragma once
#include "store/base/error.h"

#include <string>
#include <vector>

namespace oblea::bench {

struct OverlayFolders {
    std::vector<std::string> layers;  // bottom first
    std::string upper, work;
};

// Errors: EPERM without root; ENOSYS and EINVAL on kernels before 6.7, which have no lowerdir+.
Status mount_overlay(OverlayFolders const& folders, std::string const& at);

}  // namespace oblea::bench
