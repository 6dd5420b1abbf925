FROM x
ENV A=1 B="two words" C=two\ words D='single $X' E= F=a=b
ENV OLD the whole rest "with quotes" = here
ENV OLD2   spaced   value  
LABEL a.b.c="x" "quoted key"=y multi="one\
 two"
LABEL old form
ARG X
ARG Y=1 Z="a b" W=
ENV A=1 \
    B=2 \
    # comment
    C=3
