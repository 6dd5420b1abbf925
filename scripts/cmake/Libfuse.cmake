# The target oblea::libfuse.
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3)
add_library(oblea_libfuse INTERFACE)
target_link_libraries(oblea_libfuse INTERFACE PkgConfig::fuse3)
add_library(oblea::libfuse ALIAS oblea_libfuse)
