// SPDX-License-Identifier: MIT
// The one include of Catch2, whichever of its major versions the distribution has. Use only what
// both share.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
