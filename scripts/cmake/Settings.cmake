# Compiler settings of our own code, as two interface targets that every target of ours links.

# Decided when the build folder is made: with a ccache that is installed later everything would be compiled again.
if(NOT DEFINED CACHE{OBLEA_CCACHE})
    find_program(CCACHE_PROGRAM ccache NO_CACHE)
    if(NOT CCACHE_PROGRAM)
        set(CCACHE_PROGRAM "")
    endif()
    set(OBLEA_CCACHE "${CCACHE_PROGRAM}" CACHE FILEPATH "ccache, or nothing")
endif()
if(OBLEA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${OBLEA_CCACHE}")
endif()

add_library(oblea_settings INTERFACE)
target_compile_features(oblea_settings INTERFACE cxx_std_23)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_include_directories(oblea_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(oblea_settings INTERFACE _FILE_OFFSET_BITS=64 _GNU_SOURCE
    $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS> $<$<CONFIG:Debug>:OBLEA_DEBUG>)
if(OBLEA_SANITIZE)
    target_compile_options(oblea_settings INTERFACE -fsanitize=${OBLEA_SANITIZE}
        -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(oblea_settings INTERFACE -fsanitize=${OBLEA_SANITIZE})
else()
    target_compile_options(oblea_settings INTERFACE
        $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=2>)
    target_link_options(oblea_settings INTERFACE -Wl,-z,relro,-z,now)
endif()

if(OBLEA_FUZZ)
    target_compile_options(oblea_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(oblea_warnings INTERFACE)
target_compile_options(oblea_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough -Wformat=2
    -Wundef $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond> $<$<CXX_COMPILER_ID:GNU>:-Wlogical-op>
    $<$<BOOL:${OBLEA_WERROR}>:-Werror>)
# g++ 12 at -O2 takes the way out of OBLEA_TRY for a use of the value that is not there.
target_compile_options(oblea_warnings INTERFACE
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-maybe-uninitialized>)
# The release preset compiles sources in batches (CMAKE_UNITY_BUILD), which pay for headers, templates and debug information once: a
# first build takes half the time. In a batch an anonymous namespace is no border (scripts/twins, a test, finds what two sources have
# both), what one source declares may be shadowed in the next, and every type of a source looks to g++ as if it came from a header. In
# all other presets each source compiles by itself.
if(CMAKE_UNITY_BUILD)
    target_compile_options(oblea_warnings INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# For the same end: what most sources include is compiled once, and the compiler collects no garbage (a tenth of its time). Without
# it, in every other preset, a source that forgets a header does not compile.
if(OBLEA_PRECOMPILE)
    target_compile_options(oblea_settings INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=1000000>)
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/common_headers.cc CONTENT "")
    add_library(oblea_common_headers OBJECT ${CMAKE_BINARY_DIR}/common_headers.cc)
    target_link_libraries(oblea_common_headers PRIVATE oblea_settings oblea_warnings fmt::fmt nlohmann_json::nlohmann_json)
    target_precompile_headers(oblea_common_headers PRIVATE <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring>
        <expected> <functional> <limits> <map> <memory> <mutex> <optional> <ranges> <set> <span> <string>
        <string_view> <thread> <unordered_map> <utility> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp> ${CMAKE_SOURCE_DIR}/store/base/json_instances.h)
endif()

# oblea_library(NAME SOURCES... ) declares one static library of ours with its alias oblea::<rest>.
function(oblea_library name)
    add_library(${name} STATIC ${ARGN})
    if(OBLEA_PRECOMPILE)
        target_link_libraries(${name} PRIVATE fmt::fmt)  # the macros must be those of the common headers
        target_precompile_headers(${name} REUSE_FROM oblea_common_headers)
    endif()
    target_link_libraries(${name} PUBLIC oblea_settings PRIVATE oblea_warnings)
    string(REGEX REPLACE "^oblea_" "" short ${name})
    add_library(oblea::${short} ALIAS ${name})
endfunction()
