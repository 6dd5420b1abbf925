FROM x
MAINTAINER Jane Doe <jane@example.org>
EXPOSE 80 53/udp 8000-8010/tcp $PORT
VOLUME /data /logs
VOLUME ["/a b", "/c"]
WORKDIR /a b/$X
USER user:group
STOPSIGNAL SIGUSR1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENTRYPOINT ["/entry", "--flag"]
ENTRYPOINT exec /entry $X
ENTRYPOINT []
CMD echo hello   world  
CMD ["a", "b"]
CMD [ "a", b ]
HEALTHCHECK NONE
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0s --start-interval=1.5s --retries=3 CMD curl -f http://localhost/ || exit 1
healthcheck cmd ["/check", "x"]
ONBUILD ADD . /app/src
onbuild run --network=none make   all
