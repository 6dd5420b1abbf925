// SPDX-License-Identifier: MIT
// libcurl, loaded by the first who needs it.
//
// It brings some thirty further libraries (TLS, Kerberos, LDAP, ...), whose loading takes longer
// than all that mounting an image does, and whose memory a server of a mount would keep for its
// life. So the program is not linked with it: curl_on_demand.cc defines those of its functions that
// are used here, and each hands its call on. Sources include <curl/curl.h> and call them as ever.
#pragma once
#include "store/base/error.h"

namespace oblea::registry {

// To be called before any function of libcurl. Any thread, any number of times. Errors: EOPNOTSUPP,
// with what the dynamic linker says, when it is not installed or lacks a function.
Status load_curl();

}  // namespace oblea::registry
