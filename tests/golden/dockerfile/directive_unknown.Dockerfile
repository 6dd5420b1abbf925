# unknown=1
# escape=`
FROM x
RUN a `
