// SPDX-License-Identifier: MIT
// What is agreed with the kernel at INIT.
#pragma once

struct fuse_conn_info;

namespace oblea::fs {

struct Connection;

// The most that one READ or WRITE carries.
inline constexpr unsigned kRequestBytesMax = 1U << 20U;

// Sets what we want among what the kernel offers, and notes the terms in the connection.
void negotiate(Connection& connection, fuse_conn_info& info);

}  // namespace oblea::fs
