# escape=`
FROM base
RUN echo one `
  two `   

  # a comment
  three
ENV P=C:\x`\y Q="a`"b"
