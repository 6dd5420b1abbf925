// SPDX-License-Identifier: MIT
// page.html as a text of the program; "@DOCUMENT@" stands where the data goes.
#pragma once

namespace oblea::tools {

extern char const* const kPage;

}  // namespace oblea::tools
