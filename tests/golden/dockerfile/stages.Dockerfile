# syntax=docker/dockerfile:1
# check=skip=all
ARG VERSION=12 SUITE
arg	TAIL="a b"
FROM --platform=$BUILDPLATFORM debian:${VERSION} AS Build
RUN make
from build as test-1.x_y
FROM scratch
COPY --from=build /out/a.out /
COPY --from=0 /x /y
CMD ["/a.out"]
