# Writes man pages and shell completion, which the program itself knows: cmake -DOBLEA=PROGRAM -DTARGET=FOLDER -P Manual.cmake

function(write_help file)
    execute_process(COMMAND ${OBLEA} help ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE ${TARGET}/${file} "${text}")
endfunction()

execute_process(COMMAND ${OBLEA} help OUTPUT_VARIABLE overview COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n  [a-z][a-z-]*( [a-z]+)?  " lines "${overview}")
write_help(man1/oblea.1 --man)
foreach(line IN LISTS lines)
    string(STRIP "${line}" name)
    # "image inspect" is two words for the program, and one name for man.
    string(REPLACE " " "-" page "${name}")
    string(REPLACE " " ";" words "${name}")
    write_help(man1/oblea-${page}.1 --man ${words})
endforeach()
write_help(completions/oblea --completion bash)
write_help(fish/vendor_completions.d/oblea.fish --completion fish)
write_help(zsh/vendor-completions/_oblea --completion zsh)
