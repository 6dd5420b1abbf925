# comment
ARG A=1
ENV A=1
FROM x
