# The target oblea::libfuse: libfuse as OBLEA_LIBFUSE says.
#
#   bundled  the static library that scripts/libfuse has built into the cache (>= 3.18: passthrough, custom I/O)
#   system   the distribution's, by pkg-config (>= 3.14)
#   auto     the distribution's when it is 3.18 or newer, else the bundled one when it is there, else the distribution's
#
# Code that links it gets the definitions OBLEA_LIBFUSE_BUNDLED (0 or 1) and OBLEA_LIBFUSE_VERSION (a string), and sets
# FUSE_USE_VERSION itself before it includes <fuse_lowlevel.h>; it has to compile with 3.14 as well as with 3.18.

if(NOT OBLEA_LIBFUSE MATCHES "^(auto|bundled|system)$")
    message(FATAL_ERROR "OBLEA_LIBFUSE is '${OBLEA_LIBFUSE}'; it may be auto, bundled or system")
endif()

add_library(oblea_libfuse INTERFACE)
add_library(oblea::libfuse ALIAS oblea_libfuse)
set(oblea_libfuse_prefix "")

if(OBLEA_LIBFUSE STREQUAL "auto")
    pkg_check_modules(fuse3_new QUIET fuse3>=3.18)
endif()
if(OBLEA_LIBFUSE STREQUAL "bundled" OR (OBLEA_LIBFUSE STREQUAL "auto" AND NOT fuse3_new_FOUND))
    execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/libfuse --print-prefix
        OUTPUT_VARIABLE oblea_libfuse_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

if(oblea_libfuse_prefix)
    file(READ ${oblea_libfuse_prefix}/version oblea_libfuse_version)
    string(REGEX MATCH "^[0-9.]+" oblea_libfuse_version "${oblea_libfuse_version}")
    # By its full path: in the folders that pkg-config names lies the distribution's libfuse3.a too.
    add_library(oblea_libfuse_archive STATIC IMPORTED)
    set_target_properties(oblea_libfuse_archive PROPERTIES
        IMPORTED_LOCATION ${oblea_libfuse_prefix}/lib/libfuse3.a
        INTERFACE_INCLUDE_DIRECTORIES ${oblea_libfuse_prefix}/include/fuse3
        INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
    target_link_libraries(oblea_libfuse INTERFACE oblea_libfuse_archive)
    target_compile_definitions(oblea_libfuse INTERFACE OBLEA_LIBFUSE_BUNDLED=1)
    message(STATUS "libfuse: bundled ${oblea_libfuse_version}, static, with passthrough and custom I/O")
elseif(OBLEA_LIBFUSE STREQUAL "bundled")
    message(FATAL_ERROR "OBLEA_LIBFUSE=bundled, but the cache has no libfuse: run scripts/libfuse first")
else()
    pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
    set(oblea_libfuse_version ${fuse3_VERSION})
    target_link_libraries(oblea_libfuse INTERFACE PkgConfig::fuse3)
    target_compile_definitions(oblea_libfuse INTERFACE OBLEA_LIBFUSE_BUNDLED=0)
    if(oblea_libfuse_version VERSION_LESS 3.18)
        message(STATUS "libfuse: the system's ${oblea_libfuse_version}, without passthrough; "
            "scripts/libfuse builds one that has it")
    else()
        message(STATUS "libfuse: the system's ${oblea_libfuse_version}")
    endif()
endif()
target_compile_definitions(oblea_libfuse INTERFACE OBLEA_LIBFUSE_VERSION="${oblea_libfuse_version}")
