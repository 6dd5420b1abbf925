
   # indented comment
FROM \
  debian \
  AS \
  x
RUN a && \
# a comment inside
   b && \

   c \\
RUN d \ 
   e
RUN echo 'x \
   y'
   run	indented
\
RUN after a lone mark
RUN ends in a mark \
