FROM x
RUN ["/bin/echo", "a b", "c\"d", "\u00e1"]
RUN [ 'single', 'quotes' ]
RUN [ -e /x ] && echo yes
RUN --mount=type=cache,target=/root/.npm,sharing=locked,id=npm --network=none npm ci
RUN --mount=target=/src,rw --mount="type=tmpfs,dst=/t,size=1.5g" --security=insecure true
RUN --mount=type=secret,id=key,env=KEY,uid=1000,gid=100,mode=0440 cat
RUN --mount='type=bind,from=build,src=/a,dst=/b,ro=false,"target=/with,comma"' ls
RUN [ -d /x ]
RUN --mount=type=bind,target=$T,readonly --network=host -- --not-a-flag
RUN --network=default echo --mount=none
