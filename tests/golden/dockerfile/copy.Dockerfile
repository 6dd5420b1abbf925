FROM x
COPY a b c /dir/
COPY ["with space", "b", "/dir with space/"]
COPY --chown=user:group --chmod=u=rwX,go= --link a /b
COPY --link=false --parents ./x/./y/*.txt /p
COPY --exclude=*.md --exclude=.git . .
COPY --from=nginx:latest /etc/nginx /n
COPY \$a "\"b" /c
ADD https://example.org/x.tar.gz /x
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://e.org/x /y
ADD --unpack=false a.tar.gz /
ADD --unpack --chown=0 a.tar.xz b.tar /
