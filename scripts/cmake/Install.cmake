# The names of the program, in the build folder and where it is installed, and what is installed beside it.

if(TARGET oblea)
    set(oblea_names oblea-overlay mount.oblea mount.fuse.oblea)

    # One program, several names: it looks at the name that it was called by.
    set(oblea_link_commands "")
    foreach(name IN LISTS oblea_names)
        list(APPEND oblea_link_commands COMMAND ${CMAKE_COMMAND} -E create_symlink
            oblea ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name})
    endforeach()
    add_custom_target(oblea_names ALL ${oblea_link_commands} VERBATIM)
    add_dependencies(oblea_names oblea)

    add_custom_target(oblea_manual ALL VERBATIM COMMAND ${CMAKE_COMMAND}
        -DOBLEA=$<TARGET_FILE:oblea> -DTARGET=${CMAKE_BINARY_DIR}/manual -P ${CMAKE_SOURCE_DIR}/scripts/cmake/Manual.cmake)
    add_dependencies(oblea_manual oblea)
    install(DIRECTORY ${CMAKE_BINARY_DIR}/manual/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
    install(DIRECTORY ${CMAKE_BINARY_DIR}/manual/completions DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion)
    install(DIRECTORY ${CMAKE_BINARY_DIR}/manual/fish ${CMAKE_BINARY_DIR}/manual/zsh DESTINATION ${CMAKE_INSTALL_DATADIR})

    # For the store of root; not started by itself: systemctl enable --now oblea-gc.timer
    install(FILES tools/systemd/oblea-gc.service tools/systemd/oblea-gc.timer DESTINATION lib/systemd/system)

    install(TARGETS oblea RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    set(installed_links ${CMAKE_BINARY_DIR}/installed_links)
    file(MAKE_DIRECTORY ${installed_links})
    file(CREATE_LINK oblea ${installed_links}/oblea-overlay SYMBOLIC)
    install(FILES ${installed_links}/oblea-overlay DESTINATION ${CMAKE_INSTALL_BINDIR})
    # mount(8) looks for its helpers in sbin.
    file(RELATIVE_PATH from_sbin ${CMAKE_INSTALL_FULL_SBINDIR} ${CMAKE_INSTALL_FULL_BINDIR}/oblea)
    foreach(name mount.oblea mount.fuse.oblea)
        file(CREATE_LINK ${from_sbin} ${installed_links}/${name} SYMBOLIC)
        install(FILES ${installed_links}/${name} DESTINATION ${CMAKE_INSTALL_SBINDIR})
    endforeach()
endif()

# For machines without the fuse3 package. Not setuid: whether users may mount is the administrator's decision.
if(oblea_libfuse_prefix)
    install(PROGRAMS ${oblea_libfuse_prefix}/bin/fusermount3 DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/oblea)
endif()

foreach(document LICENSE README.md store/FORMAT.md fs/SEMANTICS.md tools/man/README.es.md)
    if(EXISTS ${CMAKE_SOURCE_DIR}/${document})
        install(FILES ${document} DESTINATION ${CMAKE_INSTALL_DOCDIR})
    endif()
endforeach()
