FROM x
WORKDIR ${A:-${B:-${C:+d}}}/${E%%/*}
ENV P="${P:+$P:}/opt" Q=${Q//"/"/\/}
