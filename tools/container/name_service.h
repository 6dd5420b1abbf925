// SPDX-License-Identifier: MIT
// What /etc/hosts and /etc/resolv.conf of a container say, by --add-host, --dns and their kin.
//
// Pure. Spec: hosts(5), resolv.conf(5); docker's options.
#pragma once
#include "store/base/error.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct NameService {
    std::vector<std::string> hosts;    // "NAME:ADDRESS"
    std::vector<std::string> servers;  // addresses
    std::vector<std::string> search;   // domains; "." alone: none
    std::vector<std::string> options;  // "ndots:2"
    auto operator<=>(NameService const&) const = default;
};

// Errors: EINVAL, in docker's words, for what is no address.
Status check_name_service(NameService const& asked);

// The machine's file, the container's own name, and what was asked for.
std::string hosts_text(std::string const& machine, std::string_view hostname,
                       NameService const& asked);
// The machine's file, but for what was asked for.
std::string resolv_conf_text(std::string const& machine, NameService const& asked);

// Of container.json and back. Errors: EINVAL.
nlohmann::json encode_name_service(NameService const& asked);
Result<NameService> decode_name_service(nlohmann::json const& object);

}  // namespace oblea::tools
