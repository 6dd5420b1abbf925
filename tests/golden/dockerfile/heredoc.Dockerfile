FROM x
RUN <<EOF
set -e
echo "$HOME" \
  two
EOF
RUN <<-SCRIPT
	#!/usr/bin/env python3
	print("tabs go")
	SCRIPT
RUN cat <<A > /a && cat <<'B' 3<<C > /b
of a
A
of b
B
of c
C
RUN cat <<< word && echo $((1<<2)) "<<NOT" '<<NOT'
RUN python3 <<EOF
print("${NOT#a substitution [of ours]}")
EOF
COPY <<one.txt <<"two.txt" <<-three.txt plain /dir/
1 $X
one.txt
2 $X
two.txt
	3
	three.txt
ADD --chmod=600 <<EOF /etc/conf
EOF
RUN it's not "closed <<EOF
COPY ["<<EOF", "/x"]
ONBUILD RUN <<EOF
later
EOF
CMD <<EOF
