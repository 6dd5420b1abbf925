// SPDX-License-Identifier: MIT
// Looks at an upper layer as it lies on the disk, and says what is damaged in it.
//
// Judges what this program has written and how it reads it: marks, whiteouts, the work folder's
// anchors, link counts and block maps, each by itself and, with the lower tree at hand, against the
// others and that tree. What a crash leaves is no damage: the next mount tidies it up. Contents and
// attributes of files have no second copy to be held against. Reads only; not for uppers that
// another overlay wrote, which may lack marks that ours have.
// Spec: marks.h, upper_impl.h, work_texts.h; README.md "Partial files", "Glossary".
#pragma once
#include "fs/lower/lower_tree.h"
#include "fs/upper/marks.h"

#include <atomic>
#include <string>
#include <vector>

namespace oblea::fs {

struct UpperFault {
    std::string path;  // "upper/etc/passwd", "work/maps/KEY"
    std::string what;  // one sentence without full stop
};

struct UpperCheck {
    int upper = -1;  // its root, open for reading
    int work = -1;   // its work folder, the same; -1: there is none
    MarkSpace space = MarkSpace::user;
    // Null: what needs the lower tree is left out.
    LowerTree const* lower = nullptr;
    // With `yes` somebody changes the layer meanwhile: what takes more than one look is left out.
    enum class Mounted { no, yes } mounted = Mounted::no;
    std::atomic<bool> const* cancel = nullptr;  // may be null
};

// Sorted by path. What cannot be read is a fault. Errors: ECANCELED; those of the lower tree.
Result<std::vector<UpperFault>> check_upper(UpperCheck const& check);

}  // namespace oblea::fs
