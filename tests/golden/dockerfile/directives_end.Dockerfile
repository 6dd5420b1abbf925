# a comment ends the directives
# escape=`
FROM x
RUN a \
 b
