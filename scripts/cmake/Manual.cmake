# Writes man pages and shell completion, which the program itself knows: cmake -DOBLEA=PROGRAM -DTARGET=FOLDER -P Manual.cmake

function(write_help file)
    execute_process(COMMAND ${OBLEA} help ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE ${TARGET}/${file} "${text}")
endfunction()

execute_process(COMMAND ${OBLEA} help OUTPUT_VARIABLE overview COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n  [a-z][a-z-]*  " lines "${overview}")
write_help(man1/oblea.1 --man)
foreach(line IN LISTS lines)
    string(STRIP "${line}" name)
    write_help(man1/oblea-${name}.1 --man ${name})
endforeach()
write_help(completions/oblea --completion bash)
