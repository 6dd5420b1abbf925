# A Debian package of what `cmake --install` installs: cpack --config build/release/CPackConfig.cmake -B FOLDER

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME oblea)
set(CPACK_PACKAGE_CONTACT "oblea <root@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "mounts container images, without a daemon and without root
 oblea keeps the layers of container images, each once and by content, and
 shows an image as one root file system with a copy-on-write layer on top. It
 takes what docker, podman, buildah and skopeo write, and has docker's image
 commands.")
# What the programs are linked with; the rest is for mounting without root and for running containers.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl4 (>= 7.84) | libcurl4t64")  # loaded on demand
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "fuse3, uidmap, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "crun, passt")
include(CPack)
